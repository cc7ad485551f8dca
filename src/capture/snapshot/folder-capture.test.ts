/** A capture that takes over what didn't change must give the very tree that one from nothing gives. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type EntryTable, Secret, setXattr, systemClock } from '#base';
import {
  createRepository,
  openStorage,
  openWriter,
  type Repository,
  type WriterStats,
} from '#repository';
import { walkFolders, walkTree } from '#sources';
import { captureTree } from './capture-tree.ts';
import { PreviousTrees } from './previous-trees.ts';
import { FoldersToRemember, RememberedFolders } from './remembered-folders.ts';

const HOUR_MS = 3_600_000;

let folder: string;
let root: string;
let repository: Repository;

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-folders-'));
  root = path.join(folder, 'root');
  fs.mkdirSync(root);
  const storage = await openStorage(path.join(folder, 'repository'));
  const scrypt = { N: 1024, r: 8, p: 1 };
  repository = await createRepository({ storage, password: new Secret('test'), scrypt });
});
afterEach(async () => {
  await repository.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

type Outcome = {
  tree: string;
  stats: WriterStats;
  totals: unknown;
  problems: unknown[];
  remembered: RememberedFolders | undefined;
};

/** `previous`: its tree is trusted in all, also what changed a moment ago; and so is what the note on it says. */
async function capture(
  previous?: string,
  walk = walkFolders,
  remembered?: RememberedFolders,
): Promise<Outcome> {
  const { signal } = new AbortController();
  const writer = await openWriter(repository);
  const startedAtMs = systemClock.nowMs() + HOUR_MS;
  const remember = new FoldersToRemember(startedAtMs);
  const { tree, totals, problems } = await captureTree({
    repository,
    writer,
    events: walk(Buffer.from(root), { signal }),
    ...(previous && {
      previous: { tree: previous, startedAtMs, ahead: new PreviousTrees(repository), remembered },
    }),
    remember,
    step: 'test',
    signal,
  });
  const stats = await writer.finish();
  const note = Buffer.concat(remember.note('a', []));
  return {
    tree,
    stats,
    totals,
    problems: problems.first,
    remembered: RememberedFolders.of(note, 'a'),
  };
}

const at = (name: string) => path.join(root, name);

function makeTree(): void {
  for (const name of ['a', 'a/deep', 'a/deep/er', 'b', 'empty']) fs.mkdirSync(at(name));
  for (const name of ['file', 'a/file', 'a/deep/er/file', 'b/one', 'b/two']) {
    fs.writeFileSync(at(name), `content of ${name}`);
  }
  fs.symlinkSync('file', at('b/link'));
  fs.linkSync(at('b/one'), at('b/same'));
}

/** Each may fail where another one took its place: then nothing changes. */
const CHANGES: Record<string, () => void> = {
  add: () => fs.writeFileSync(at('a/deep/new'), 'new'),
  addFirst: () => fs.writeFileSync(at('a/deep/er/0'), ''),
  modify: () => fs.appendFileSync(at('a/file'), 'more'),
  remove: () => fs.rmSync(at('b/two')),
  removeFolder: () => fs.rmSync(at('a/deep'), { recursive: true }),
  move: () => fs.renameSync(at('b'), at('c')),
  permissions: () => fs.chmodSync(at('a/deep/er'), 0o700),
  folderToFile: () => {
    fs.rmdirSync(at('empty'));
    fs.writeFileSync(at('empty'), 'a file now');
  },
  relink: () => {
    fs.rmSync(at('b/link'));
    fs.symlinkSync('two', at('b/link'));
  },
  attribute: () =>
    setXattr(Buffer.from(at('file')), { name: Buffer.from('user.a'), value: Buffer.from('b') }),
};

it('is the tree of a capture from nothing, whatever changed since', async () => {
  const names = fc.subarray(Object.keys(CHANGES), { minLength: 1 });
  const change = (name: string) => {
    try {
      CHANGES[name]?.();
    } catch {
      // What it would have changed is gone by another change.
    }
  };
  await fc.assert(
    fc.asyncProperty(names, fc.boolean(), async (changes, isRemembered) => {
      fs.rmSync(root, { recursive: true });
      fs.mkdirSync(root);
      makeTree();
      const before = await capture();
      for (const name of changes) change(name);
      const remembered = isRemembered ? before.remembered : undefined;
      const after = await capture(before.tree, walkFolders, remembered);
      const anew = await capture();
      expect(after.tree).toBe(anew.tree);
      expect(after.totals).toEqual(anew.totals);
      // And what is noted then is right again, of folders that were looked at and of those that weren't.
      if (!isRemembered) return;
      const third = await capture(after.tree, walkFolders, after.remembered);
      expect(third.tree).toBe(anew.tree);
      expect(third.totals).toEqual(anew.totals);
      expect(anew.stats.newBytes).toBe(0);
    }),
    { numRuns: 25 },
  );
}, 60_000);

it('is that also where something new comes between folders and files that stay', async () => {
  for (const name of ['a', 'c', 'e']) fs.mkdirSync(at(`${name}/below`), { recursive: true });
  for (const name of ['f', 'h']) fs.writeFileSync(at(name), name);
  const before = await capture();
  fs.mkdirSync(at('b'));
  for (const name of ['d', 'g']) fs.writeFileSync(at(name), name);
  const after = await capture(before.tree);
  expect(after.tree).toBe((await capture()).tree);
});

it('is the tree that single entries make, and stores nothing where nothing changed', async () => {
  makeTree();
  const before = await capture(undefined, walkTree);
  const after = await capture(before.tree);
  expect(after.tree).toBe(before.tree);
  expect(after.totals).toEqual(before.totals);
  expect(after.stats).toMatchObject({ dataBlobs: 0, treeBlobs: 0, storedBytes: 0 });
});

it('takes folders of several parts, and thousands of folders', async () => {
  fs.mkdirSync(at('wide'));
  for (let i = 0; i < 2500; i += 1) fs.writeFileSync(at(`wide/${i}`), '');
  for (let i = 0; i < 600; i += 1) fs.mkdirSync(at(`folders/${i}`), { recursive: true });
  const before = await capture();
  fs.writeFileSync(at('wide/1500'), 'changed');
  fs.writeFileSync(at('folders/300/new'), 'new');
  const after = await capture(before.tree, walkFolders, before.remembered);
  const anew = await capture();
  expect(after.tree).toBe(anew.tree);
  expect(after.totals).toEqual(anew.totals);
  // The file's and the new one's content; the root, wide, folders and the folder of the new one.
  expect(after.stats).toMatchObject({ dataBlobs: 2, treeBlobs: 4 });
});

it('reads nothing of a capture that is remembered, where nothing changed', async () => {
  makeTree();
  fs.mkdirSync(at('wide'));
  for (let i = 0; i < 2500; i += 1) fs.writeFileSync(at(`wide/${i}`), '');
  const before = await capture();
  const { index } = repository;
  const readBlobs = (): Promise<never> => Promise.reject(new Error('a tree is read'));
  const unread = new PreviousTrees({ index, readBlobs });
  const { signal } = new AbortController();
  const writer = await openWriter(repository);
  const { tree, totals } = await captureTree({
    repository: { index, snapshots: repository.snapshots, readBlob: readBlobs, readBlobs },
    writer,
    events: walkFolders(Buffer.from(root), { signal }),
    previous: {
      tree: before.tree,
      startedAtMs: systemClock.nowMs() + HOUR_MS,
      ahead: unread,
      remembered: before.remembered,
    },
    step: 'test',
    signal,
  });
  await writer.finish();
  expect(tree).toBe(before.tree);
  expect(totals).toEqual(before.totals);
});

it('looks again at a folder that was not captured whole, and tells what it told', async () => {
  makeTree();
  async function* walk(...of: Parameters<typeof walkFolders>): ReturnType<typeof walkFolders> {
    for await (const event of walkFolders(...of)) {
      yield event;
      if (event.path.toString() === 'a/deep' && event.kind === 'folder') {
        yield { kind: 'problem', path: Buffer.from('a/deep/odd'), what: 'odd' };
      }
    }
  }
  const before = await capture(undefined, walk);
  expect(before.problems).toHaveLength(1);
  const after = await capture(before.tree, walk, before.remembered);
  expect(after.problems).toEqual(before.problems);
  expect(after.tree).toBe(before.tree);
  expect(after.totals).toEqual(before.totals);
});

it('does not remember what may change again unseen', async () => {
  makeTree();
  const remember = new FoldersToRemember(systemClock.nowMs());
  const { signal } = new AbortController();
  const writer = await openWriter(repository);
  await captureTree({
    repository,
    writer,
    events: walkFolders(Buffer.from(root), { signal }),
    remember,
    step: 'test',
    signal,
  });
  await writer.finish();
  const note = Buffer.concat(remember.note('a', []));
  const table = await entriesOf(root);
  expect(RememberedFolders.of(note, 'a')?.find(table.fingerprint())).toBeUndefined();
  const trusted = (await capture()).remembered;
  expect(trusted?.find(table.fingerprint())?.tree).toMatch(/^[0-9a-f]{64}$/);
});

async function entriesOf(folder: string): Promise<EntryTable> {
  const { signal } = new AbortController();
  for await (const event of walkFolders(Buffer.from(folder), { signal })) {
    if (event.kind === 'folder') return event.entries;
  }
  throw new Error('no folder');
}

it('reads again what the repository has lost', async () => {
  makeTree();
  const before = await capture();
  const [data] = await packsOf('data');
  fs.rmSync(path.join(folder, 'repository', 'data', (data as string).slice(0, 2), data as string));
  await dropFromIndex(data as string);
  const after = await capture(before.tree);
  expect(after.tree).toBe(before.tree);
  expect(after.stats.dataBlobs).toBeGreaterThan(3);
});

it('goes on where a tree of the capture before is lost', async () => {
  makeTree();
  const before = await capture();
  const [tree] = await packsOf('tree');
  fs.rmSync(path.join(folder, 'repository', 'data', (tree as string).slice(0, 2), tree as string));
  await dropFromIndex(tree as string);
  const after = await capture(before.tree, walkFolders, before.remembered);
  expect(after.tree).toBe(before.tree);
  expect(after.stats.treeBlobs).toBeGreaterThan(3);
});

async function packsOf(type: string): Promise<string[]> {
  const packs: string[] = [];
  for (const { id, blobs } of repository.index.packs()) if (blobs[0]?.type === type) packs.push(id);
  return packs;
}

/** As after a repair: the index tells of everything but this pack. */
async function dropFromIndex(pack: string): Promise<void> {
  const rest = [...repository.index.packs()].filter(({ id }) => id !== pack);
  const indexes = path.join(folder, 'repository', 'index');
  for (const name of fs.readdirSync(indexes)) fs.rmSync(path.join(indexes, name));
  repository.dropIndex();
  await repository.saveIndex(rest);
}
