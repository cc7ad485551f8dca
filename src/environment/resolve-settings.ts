/**
 * Puts the values of `${NAME}` and `${file:…}` into a file's tree at load. What is written for a shell, for a query or
 * for the start of a copy is left as it is: there, references are only checked.
 */
import type { Problem } from './problems.ts';
import {
  lookUp,
  type Reference,
  referencesIn,
  replaceReferences,
  type Surroundings,
} from './references.ts';
import { formatPath, type Located, mapScalars } from './yaml/located.ts';

type Path = readonly (string | number)[];

export type ResolvedSettings = {
  root: Located;
  problems: Problem[];
  /** Paths whose value isn't known: what a schema says of them would mislead. */
  unresolved: Set<string>;
  /** Values that came out of references, by path: no message may show them. */
  secrets: Map<string, string[]>;
};

/** `keep` leaves what can't be looked up as it is: for files read again on another machine. */
export function resolveSettings(
  root: Located,
  surroundings: Surroundings,
  missing: 'problem' | 'keep',
): ResolvedSettings {
  const problems: Problem[] = [];
  const unresolved = new Set<string>();
  const secrets = new Map<string, string[]>();
  const isOptional = (path: Path) => path[0] === 'stores' && isExcluded(root, path);

  const resolved = mapScalars(root, (scalar, path) => {
    if (typeof scalar.value !== 'string') return scalar.value;
    const written = scalar.value;
    const shown = formatPath(path);
    const say = (what: string) => problems.push({ place: scalar.place, path: shown, what });
    const use = useOf(path);
    if (use === 'shell') return checkedForShell(written, path, say);
    checkLiteralSecrets(path, written, say);

    const resolve = (reference: Reference): string => {
      const wrong = misplaced(reference, use);
      if (wrong !== undefined) {
        say(wrong);
        unresolved.add(shown);
        return reference.text;
      }
      if (reference.kind !== 'variable' && reference.kind !== 'file') return reference.text;
      const looked = lookUp(reference, surroundings);
      if ('value' in looked) {
        secrets.set(shown, [...(secrets.get(shown) ?? []), looked.value]);
        return looked.value;
      }
      if (missing === 'problem' && !isOptional(path)) say(`${reference.text}: ${looked.missing}`);
      unresolved.add(shown);
      return reference.text;
    };
    if (use === 'copy') {
      for (const reference of referencesIn(written)) resolve(reference);
      return written;
    }
    return replaceReferences(written, resolve);
  });
  return { root: resolved, problems, unresolved, secrets };
}

/** When a value is used decides which references it may hold. */
type Use = 'load' | 'copy' | 'shell';

function useOf(path: Path): Use {
  if (path[0] === 'checks') return 'shell';
  const field = path[2];
  if (field === 'control') return 'shell';
  if (path[0] !== 'services') return 'load';
  if (field === 'env' || field === 'health') return 'copy';
  return field === 'run' ? 'shell' : 'load';
}

/** A shell expands what it knows by itself; the address of a store would show its password to every user of the host. */
function checkedForShell(written: string, path: Path, say: (what: string) => void): string {
  const isWord = path[0] === 'services' && path[2] === 'run' && path.length === 4;
  for (const reference of referencesIn(written)) {
    if (isWord && reference.kind === 'variable') {
      say(`${reference.text} is not put in where run is a list of words: pass it by env`);
    }
    if (reference.kind === 'store' || reference.kind === 'file') {
      say(`${reference.text} can't stand in a command line, where others see it: pass it by env`);
    }
  }
  return written;
}

function misplaced(reference: Reference, use: Use): string | undefined {
  if (reference.kind === 'malformed') {
    return `${reference.text} is no reference: \${NAME}, \${file:/path}, \${port}, \${stores.X.url} and \${services.X.url} are; $\${ is a plain \${`;
  }
  const isOfCopy = ['port', 'store', 'service'].includes(reference.kind);
  if (isOfCopy && use === 'load') {
    return `${reference.text} is known only when a copy starts: it may stand in env and health of a service`;
  }
  return undefined;
}

const SECRET_FIELDS: ReadonlySet<string> = new Set([
  'repository.password',
  'repository.s3.credentials.secretAccessKey',
  'repository.s3.credentials.sessionToken',
]);

const URL_WITH_PASSWORD = /^[a-z][a-z0-9+.-]*:\/\/[^/@:\s]*:(?!\$\{)[^@/\s]+@/i;

function checkLiteralSecrets(path: Path, written: string, say: (what: string) => void): void {
  if (SECRET_FIELDS.has(path.join('.')) && referencesIn(written).length === 0) {
    say('must be a reference such as ${HOLDFAST_PASSWORD} or ${file:/run/secrets/holdfast}');
  }
  if (URL_WITH_PASSWORD.test(written)) {
    say('holds a password: put the address into a variable and write ${NAME} here');
  }
}

function isExcluded(root: Located, path: Path): boolean {
  if (root.kind !== 'map') return false;
  const stores = root.entries.get('stores')?.value;
  const store = stores?.kind === 'map' ? stores.entries.get(String(path[1]))?.value : undefined;
  const protect = store?.kind === 'map' ? store.entries.get('protect')?.value : undefined;
  return protect?.kind === 'scalar' && protect.value === 'none';
}
