/** A capture that takes over what didn't change must give the very tree that one from nothing gives. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Secret, setXattr, systemClock } from '#base';
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

type Outcome = { tree: string; stats: WriterStats; totals: unknown; problems: unknown[] };

/** `previous`: its tree is trusted in all, also what changed a moment ago. */
async function capture(previous?: string, walk = walkFolders): Promise<Outcome> {
  const { signal } = new AbortController();
  const writer = await openWriter(repository);
  const startedAtMs = systemClock.nowMs() + HOUR_MS;
  const { tree, totals, problems } = await captureTree({
    repository,
    writer,
    events: walk(Buffer.from(root), { signal }),
    ...(previous && {
      previous: { tree: previous, startedAtMs, ahead: new PreviousTrees(repository) },
    }),
    step: 'test',
    signal,
  });
  return { tree, stats: await writer.finish(), totals, problems: problems.first };
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
    fc.asyncProperty(names, async (changes) => {
      fs.rmSync(root, { recursive: true });
      fs.mkdirSync(root);
      makeTree();
      const before = await capture();
      for (const name of changes) change(name);
      const after = await capture(before.tree);
      const anew = await capture();
      expect(after.tree).toBe(anew.tree);
      expect(after.totals).toEqual(anew.totals);
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
  const after = await capture(before.tree);
  expect(after.tree).toBe((await capture()).tree);
  // The file's and the new one's content; the root, wide, folders and the folder of the new one.
  expect(after.stats).toMatchObject({ dataBlobs: 2, treeBlobs: 4 });
});

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
  const after = await capture(before.tree);
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
