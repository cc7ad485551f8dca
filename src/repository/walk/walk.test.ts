/** Walking, comparing and searching trees, held against plain lists of the same paths. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '#base';
import { type Difference, diffTrees } from '../diff/diff.ts';
import { DiffCounter } from '../diff/totals.ts';
import { findEntries } from '../find/find.ts';
import { compileGlob } from '../find/glob.ts';
import { createRepository } from '../open.ts';
import type { Repository } from '../repository.ts';
import { FAST_SCRYPT } from '../restic.fixture.ts';
import type { Snapshot } from '../snapshots/snapshot-json.ts';
import { MemoryStorage } from '../storage/memory.ts';
import { openWriter } from '../writer/open-writer.ts';
import { findPath } from './find-path.ts';
import {
  anyEntries,
  type Plan,
  type PlannedEntries,
  pathsOf,
  saveEntries,
} from './random-trees.fixture.ts';
import { treeEntries } from './tree-entries.ts';

const SAMPLES = 60;
const seed = Date.now() % 2 ** 31;

let repository: Repository;
let saved: { entries: PlannedEntries; tree: string }[];

beforeAll(async () => {
  const storage = new MemoryStorage('walks', new Map());
  const password = new Secret('p');
  repository = await createRepository({ storage, password, scrypt: FAST_SCRYPT });
  const writer = await openWriter(repository, { workers: 1 });
  saved = [];
  for (const entries of fc.sample(anyEntries, { numRuns: SAMPLES, seed })) {
    saved.push({ entries, tree: await saveEntries(writer, entries) });
  }
  await writer.finish();
});

afterAll(() => repository.close());

const snapshotOf = (tree: string, at: number): Snapshot => ({
  id: String(at).padStart(64, '0'),
  time: '',
  timeMs: at,
  tree,
  paths: [],
  hostname: '',
  username: '',
  uid: 0,
  gid: 0,
  excludes: [],
  tags: [],
  others: {},
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test('a walk gives every path once, in order, and a path finds its entry again', async () => {
  for (const { entries, tree } of saved) {
    const walked = await all(treeEntries(repository, tree));
    expect(
      walked.map(({ path }) => path.toString()),
      `seed ${seed}`,
    ).toEqual(pathsOf(entries).map(([path]) => path));
    const last = walked.at(-1);
    if (!last) continue;
    const found = await findPath(repository, tree, last.path);
    expect(found?.node).toEqual(last.node);
    expect(await findPath(repository, tree, Buffer.from(`${last.path}/x/y`))).toBeUndefined();
  }
});

function expectedChange(before: Plan | undefined, after: Plan | undefined): string | undefined {
  if (!before) return 'added';
  if (!after) return 'removed';
  if (before.kind !== after.kind) return 'type';
  if (before.kind === 'symlink' && after.kind === 'symlink')
    return before.target === after.target ? undefined : 'content';
  if (before.kind !== 'file' || after.kind !== 'file') return undefined;
  if (before.content !== after.content) return 'content';
  return before.permissions === after.permissions ? undefined : 'metadata';
}

const shown = ({ path, change }: Difference) => `${change} ${path}`;

test('a comparison tells exactly what two lists of the same trees differ in', async () => {
  for (const [at, after] of saved.entries()) {
    const before = saved[(at + 1) % saved.length] as (typeof saved)[number];
    const olds = new Map(pathsOf(before.entries));
    const news = new Map(pathsOf(after.entries));
    const expected: string[] = [];
    for (const path of new Set([...olds.keys(), ...news.keys()])) {
      const change = expectedChange(olds.get(path), news.get(path));
      if (change) expected.push(`${change} ${path}`);
    }
    const differences = await all(diffTrees(repository, before.tree, after.tree));
    expect(differences.map(shown).sort(), `seed ${seed}`).toEqual(expected.sort());
    const counter = new DiffCounter(repository.index);
    for (const difference of differences) counter.add(difference);
    const { added, content } = counter.totals();
    const isAdded = (line: string) => line.startsWith('added ');
    expect(added.files + added.directories + added.others).toBe(expected.filter(isAdded).length);
    expect(content).toBe(expected.filter((line) => line.startsWith('content ')).length);
  }
});

test('equal subtrees are not read for a comparison', async () => {
  const { tree } = saved[0] as (typeof saved)[number];
  const unread = { index: repository.index, readBlobs: () => expect.fail('a tree was read') };
  expect(await all(diffTrees(unread, tree, tree))).toEqual([]);
});

describe('a search over all snapshots', () => {
  const naive = (wants: (path: string, plan: Plan) => boolean) =>
    saved.flatMap(({ entries }, at) =>
      pathsOf(entries)
        .filter(([path, plan]) => wants(path, plan))
        .map(([path]) => `${at} ${path}`),
    );
  const search = async (query: Parameters<typeof findEntries>[2]) => {
    const snapshots = saved.map(({ tree }, at) => snapshotOf(tree, at));
    const found = await all(findEntries(repository, snapshots, query));
    return found.map(({ snapshot, path }) => `${snapshot.timeMs} ${path}`);
  };
  const glob = (pattern: string) =>
    compileGlob(pattern) as NonNullable<ReturnType<typeof compileGlob>>;

  test('finds names, paths, kinds and contents as a list of all paths does', async () => {
    expect(await search({ patterns: [glob('*.sql')] })).toEqual(
      naive((path) => path.endsWith('.sql')),
    );
    expect(await search({ patterns: [glob('/a/**/b')] })).toEqual(
      naive((path) => path.startsWith('/a/') && path.endsWith('/b')),
    );
    expect(await search({ patterns: [glob('/?/c.sql'), glob('b/é')] })).toEqual(
      naive((path) => /^\/[^/]\/c\.sql$/u.test(path) || path.endsWith('/b/é')),
    );
    expect(await search({ kinds: ['symlink'] })).toEqual(
      naive((_path, plan) => plan.kind === 'symlink'),
    );
    const file = (await all(treeEntries(repository, saved[0]?.tree ?? ''))).find(
      ({ node }) => node.content?.length === 32,
    );
    const text = (pathsOf(saved[0]?.entries ?? {}).find(([path]) => path === `${file?.path}`) ??
      [])[1];
    if (!file || text?.kind !== 'file') return;
    expect(
      await search({ blobs: [file.node.content?.toString('hex').slice(0, 12) as string] }),
    ).toEqual(naive((_path, plan) => plan.kind === 'file' && plan.content === text.content));
  });

  test('what snapshots share and holds nothing is read once', async () => {
    const { tree } = saved.find(
      ({ entries }) => pathsOf(entries).length > 3,
    ) as (typeof saved)[number];
    const snapshots = [1, 2, 3, 4].map((at) => snapshotOf(tree, at));
    let reads = 0;
    const counting = {
      index: repository.index,
      readBlobs: (...args: Parameters<Repository['readBlobs']>) => {
        reads += 1;
        return repository.readBlobs(...args);
      },
    };
    await all(findEntries(counting, snapshots.slice(0, 1), { patterns: [glob('nothing')] }));
    const once = reads;
    reads = 0;
    await all(findEntries(counting, snapshots, { patterns: [glob('nothing')] }));
    // The root of each, and the rest once.
    expect(reads).toBe(once + snapshots.length - 1);
  });
});

test('a damaged directory is named and the rest is given', async () => {
  const { entries, tree } = saved.find(({ entries }) =>
    Object.values(entries).some(
      (plan) => plan.kind === 'dir' && Object.keys(plan.entries).length > 0,
    ),
  ) as (typeof saved)[number];
  const [name] = Object.entries(entries).find(
    ([, plan]) => plan.kind === 'dir' && Object.keys(plan.entries).length > 0,
  ) as [string, Plan];
  const found = await findPath(repository, tree, Buffer.from(name));
  const lost = found?.kind === 'directory' ? found.tree : '';
  const damaged: string[] = [];
  const reader = {
    index: repository.index,
    readBlobs: (...[type, ids, onBlob, options]: Parameters<Repository['readBlobs']>) =>
      repository.readBlobs(
        type,
        ids,
        (id, bytes) => onBlob(id, id.toString('hex') === lost ? Buffer.from('{"nodes":[}') : bytes),
        options,
      ),
  };
  const walked = await all(
    treeEntries(reader, tree, { onDamaged: (path) => damaged.push(path.toString()) }),
  );
  expect(damaged).toContain(`/${name}`);
  expect(walked.map(({ path }) => path.toString())).toContain(`/${name}`);
  await expect(all(treeEntries(reader, tree))).rejects.toMatchObject({
    code: 'repository/tree-damaged',
  });
});
