/** What differs between two instants: of databases by rows, of folders by files. */
import { diffTrees, type Repository } from '#repository';
import type { TableDifference } from '#sources';
import type { Choice, ChosenStore } from '../choose/request.ts';
import { showName } from '../restore/paths.ts';
import { type PassingCopy, type PassingOptions, withPassingCopy } from './passing-copy.ts';

export type FileDifference = {
  path: string;
  change: 'added' | 'changed' | 'removed';
};

export type StoreDifference =
  | ({ kind: 'table'; store: string } & TableDifference)
  | ({ kind: 'file'; store: string } & FileDifference)
  /** Both instants are one state of it. */
  | { kind: 'same'; store: string };

export type CompareInstants = {
  before: Choice;
  after: Choice;
  tables?: readonly string[];
  database?: string;
  onDifference(difference: StoreDifference): void;
};

/** Both choices of the same stores. Copies are made of those only that hold tables and were written to in between. */
export async function compareInstants(
  request: CompareInstants,
  options: PassingOptions,
): Promise<void> {
  const { before, after, onDifference } = request;
  const withTables: ChosenStore[] = [];
  for (const [at, chosen] of after.stores.entries()) {
    const earlier = before.stores[at] as ChosenStore;
    const store = chosen.store.name;
    if (isOneState(earlier, chosen)) onDifference({ kind: 'same', store });
    else if (chosen.store.source.parts) withTables.push(chosen);
    else await compareFiles(options.repository, earlier, chosen, request, options.signal);
  }
  if (withTables.length === 0) return;
  const names = new Set(withTables.map(({ store }) => store.name));
  await withPassingCopy(only(before, names), options, (one) =>
    withPassingCopy(only(after, names), options, async (two) => {
      for (const name of names) await compareTables(name, one, two, request);
    }),
  );
}

const only = (choice: Choice, names: ReadonlySet<string>): Choice => ({
  ...choice,
  stores: choice.stores.filter(({ store }) => names.has(store.name)),
});

/** The same place of one journal, or the same capture where there is none. */
function isOneState(one: ChosenStore, two: ChosenStore): boolean {
  const [a, b] = [one.resolved?.position, two.resolved?.position];
  if (!a || !b) return one.capture.id === two.capture.id;
  return a.line === b.line && a.offset === b.offset;
}

async function compareTables(
  store: string,
  before: PassingCopy,
  after: PassingCopy,
  { tables, database, onDifference }: CompareInstants,
): Promise<void> {
  const [one, two] = [before.store(store), after.store(store)];
  const request = {
    before: one,
    after: two,
    ...(one.chosen.capture.id === two.chosen.capture.id && {
      sameBaseUntilMs: Math.min(before.begunMs, after.begunMs),
    }),
    ...(tables && { tables }),
    ...(database === undefined ? {} : { database }),
  };
  const { parts } = two.chosen.store.source;
  for await (const found of parts?.compare(request, after.context(store)) ?? []) {
    onDifference({ kind: 'table', store, ...found });
  }
}

const CHANGES: Record<string, FileDifference['change']> = {
  added: 'added',
  removed: 'removed',
  content: 'changed',
  type: 'changed',
};

async function compareFiles(
  repository: Repository,
  before: ChosenStore,
  after: ChosenStore,
  { onDifference }: CompareInstants,
  signal: AbortSignal,
): Promise<void> {
  await repository.loadIndex();
  const [one, two] = await Promise.all(
    [before, after].map(({ capture }) => repository.snapshots.load(capture.snapshot)),
  );
  const store = after.store.name;
  for await (const difference of diffTrees(repository, one?.tree, two?.tree, { signal })) {
    const change = CHANGES[difference.change];
    const node = difference.after ?? difference.before;
    // Folders show by what is in them; who owns a file and when it was touched is none of its content.
    if (change === undefined || node?.kind === 'dir') continue;
    const path = showName(difference.path.subarray(1).toString('latin1'));
    onDifference({ kind: 'file', store, path, change });
  }
}
