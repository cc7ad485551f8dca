/**
 * What no part of the file can see alone: names that must exist elsewhere, and cycles. It works on the tree and not on
 * the validated values, so that these problems are shown together with those of the schema.
 */
import { didYouMean, type Place, type Problem } from './problems.ts';
import { referencesIn } from './references.ts';
import { formatPath, type Located, type LocatedEntry, locate } from './yaml/located.ts';

type Path = readonly PropertyKey[];

export function crossCheck(root: Located): Problem[] {
  const problems: Problem[] = [];
  const say = (place: Place, path: Path, what: string) =>
    problems.push({ place, path: formatPath(path), what });
  const stores = entriesAt(root, ['stores']);
  const services = entriesAt(root, ['services']);

  checkSharedNames(stores, services, say);
  checkLeader(root, stores, say);
  checkObjectives(stores, say);
  for (const name of services.keys()) {
    checkNeeds(root, name, stores, services, say);
    checkAddresses(root, name, stores, services, say);
  }
  checkCycles(root, services, say);
  checkChecks(root, stores, services, say);
  return problems;
}

type Say = (place: Place, path: Path, what: string) => void;
type Entries = ReadonlyMap<string, LocatedEntry>;

function entriesAt(root: Located, path: Path): Entries {
  const found = locate(root, path)?.value;
  return found?.kind === 'map' ? found.entries : new Map();
}

function textAt(root: Located, path: Path): { text: string; place: Place } | undefined {
  const found = locate(root, path)?.value;
  return found?.kind === 'scalar' && typeof found.value === 'string'
    ? { text: found.value, place: found.place }
    : undefined;
}

function isExcluded(root: Located, store: string): boolean {
  return textAt(root, ['stores', store, 'protect'])?.text === 'none';
}

function unknownName(kind: string, name: string, known: Iterable<string>): string {
  return `there is no ${kind} ${name}${didYouMean(name, known)}`;
}

function checkSharedNames(stores: Entries, services: Entries, say: Say): void {
  for (const [name, entry] of services) {
    if (stores.has(name)) {
      say(
        entry.keyPlace,
        ['services', name],
        'is the name of a store too: needs could mean either',
      );
    }
  }
}

function checkLeader(root: Located, stores: Entries, say: Say): void {
  const path = ['consistency', 'leader'];
  const leader = textAt(root, path);
  if (leader === undefined) return;
  if (!stores.has(leader.text)) {
    say(leader.place, path, unknownName('store', leader.text, stores.keys()));
  } else if (isExcluded(root, leader.text)) {
    say(leader.place, path, `${leader.text} is not protected, so nothing can follow it`);
  }
}

function checkObjectives(stores: Entries, say: Say): void {
  for (const [name, entry] of stores) {
    const isInterval = locate(entry.value, ['protect', 'every']) !== undefined;
    const rpo = locate(entry.value, ['rpo'])?.value;
    if (isInterval && rpo !== undefined) {
      say(rpo.place, ['stores', name, 'rpo'], 'is the interval itself where protect says every');
    }
  }
}

/** Names in `needs` of a service, with their places. */
function needsOf(root: Located, service: string): { text: string; place: Place; path: Path }[] {
  const path = ['services', service, 'needs'];
  const list = locate(root, path)?.value;
  if (list?.kind !== 'list') return [];
  return list.items.flatMap((item, index) =>
    item.kind === 'scalar' && typeof item.value === 'string'
      ? [{ text: item.value, place: item.place, path: [...path, index] }]
      : [],
  );
}

function checkNeeds(
  root: Located,
  service: string,
  stores: Entries,
  services: Entries,
  say: Say,
): void {
  for (const need of needsOf(root, service)) {
    if (stores.has(need.text) || services.has(need.text)) continue;
    const known = [...stores.keys(), ...services.keys()];
    say(need.place, need.path, unknownName('store or service', need.text, known));
  }
}

function checkAddresses(
  root: Located,
  service: string,
  stores: Entries,
  services: Entries,
  say: Say,
): void {
  const base = ['services', service];
  const paths = [
    [...base, 'health'],
    ...[...entriesAt(root, [...base, 'env']).keys()].map((name) => [...base, 'env', name]),
  ];
  for (const path of paths) {
    const written = textAt(root, path);
    if (written === undefined) continue;
    for (const reference of referencesIn(written.text)) {
      if (reference.kind === 'service' && !services.has(reference.name)) {
        say(written.place, path, unknownName('service', reference.name, services.keys()));
      }
      if (reference.kind !== 'store') continue;
      if (!stores.has(reference.name)) {
        say(written.place, path, unknownName('store', reference.name, stores.keys()));
      } else if (isExcluded(root, reference.name)) {
        say(written.place, path, `${reference.name} is not protected: a copy has none of it`);
      }
    }
  }
  const health = textAt(root, [...base, 'health']);
  const isStarted = locate(root, [...base, 'run']) !== undefined;
  if (isStarted && health !== undefined && !health.text.includes('${port}')) {
    say(
      health.place,
      [...base, 'health'],
      'must hold ${port}: each copy listens on a port of its own',
    );
  }
}

function checkCycles(root: Located, services: Entries, say: Say): void {
  const settled = new Set<string>();
  const visit = (service: string, trail: readonly string[]): void => {
    if (settled.has(service)) return;
    for (const need of needsOf(root, service)) {
      if (!services.has(need.text)) continue;
      const chain = [...trail, service];
      const start = chain.indexOf(need.text);
      if (start >= 0) {
        const cycle = [...chain.slice(start), need.text].join(' → ');
        say(need.place, need.path, `is a cycle: ${cycle}`);
      } else {
        visit(need.text, chain);
      }
    }
    settled.add(service);
  };
  for (const service of services.keys()) visit(service, []);
}

function checkChecks(root: Located, stores: Entries, services: Entries, say: Say): void {
  const expectStore = (path: Path, name: string, place: Place) => {
    if (!stores.has(name)) say(place, path, unknownName('store', name, stores.keys()));
    else if (isExcluded(root, name)) say(place, path, `${name} is not protected: nothing to check`);
  };
  for (const check of entriesAt(root, ['checks']).keys()) {
    for (const field of ['sql', 'in']) {
      const path = ['checks', check, field];
      const store = textAt(root, path);
      if (store !== undefined) expectStore(path, store.text, store.place);
    }
    const keysPath = ['checks', check, 'keys'];
    const keys = textAt(root, keysPath);
    if (keys !== undefined) expectStore(keysPath, keys.text.split('.')[0] ?? '', keys.place);
    const httpPath = ['checks', check, 'http'];
    const http = textAt(root, httpPath);
    const service = http?.text.split('/')[0] ?? '';
    if (http !== undefined && !services.has(service)) {
      say(http.place, httpPath, unknownName('service', service, services.keys()));
    }
  }
}
