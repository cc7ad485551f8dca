import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { lockFile, readMetadata, Secret, silent } from '#base';
import {
  createRepository,
  encodeTree,
  openStorage,
  openWriter,
  type Repository,
  type RepositoryWriter,
  type TreeNode,
} from '#repository';
import { type FilesRequest, previewFiles, takeFiles } from './files.ts';

let repository: Repository;
let tree: string;
let folder: string;
let home: string;

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** The folder as a capture stores it. */
async function saveFolder(writer: RepositoryWriter, directory: string): Promise<string> {
  const nodes: TreeNode[] = [];
  for (const entry of (await fs.readdir(directory, { withFileTypes: true })).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    const file = path.join(directory, entry.name);
    const metadata = await readMetadata(Buffer.from(file));
    const name = Buffer.from(entry.name);
    if (entry.isDirectory()) {
      nodes.push({ ...metadata, name, subtree: await saveFolder(writer, file) });
    } else if (entry.isFile()) {
      const bytes = once(await fs.readFile(file));
      const { ids } = await writer.saveStream(bytes, { kind: 'fixed', sizeBytes: 2 ** 20 });
      nodes.push({ ...metadata, name, content: ids });
    } else nodes.push({ ...metadata, name });
  }
  return await writer.saveTree(encodeTree(nodes));
}

beforeAll(async () => {
  repository = await createRepository({
    storage: await openStorage('memory:files-parts'),
    password: new Secret('files'),
    scrypt: { N: 1024, r: 8, p: 1 },
  });
});
afterAll(() => repository.close());

beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-parts-'));
  home = path.join(folder, 'home');
  await fs.mkdir(path.join(home, 'a', 'deep'), { recursive: true });
  await fs.writeFile(path.join(home, 'a', 'one'), 'one');
  await fs.writeFile(path.join(home, 'a', 'deep', 'two'), 'two');
  await fs.symlink('one', path.join(home, 'a', 'link'));
  const writer = await openWriter(repository, { workers: 1 });
  tree = await saveFolder(writer, home);
  await writer.finish();
  await repository.loadIndex();
});
afterEach(() => fs.rm(folder, { recursive: true, force: true }));

const request = (more: Partial<FilesRequest>): FilesRequest => ({
  ...{ repository, tree, home, store: 'uploads', instant: 'then', from: 'a', overwrite: false },
  ...{ progress: silent, signal: new AbortController().signal },
  ...more,
});
const read = (name: string) => fs.readFile(path.join(home, name), 'utf8');

test('a folder that is gone comes back whole; one that is there gets what it lacks, and keeps what it has', async () => {
  await fs.rm(path.join(home, 'a'), { recursive: true });
  expect(await takeFiles(request({}))).toMatchObject({ files: 3, added: 3, problems: [] });
  expect(await fs.readlink(path.join(home, 'a', 'link'))).toBe('one');
  await fs.rm(path.join(home, 'a', 'deep'), { recursive: true });
  await fs.writeFile(path.join(home, 'a', 'newer'), 'newer');
  expect(await takeFiles(request({}))).toMatchObject({ added: 1, replaced: 0 });
  expect([await read('a/deep/two'), await read('a/newer')]).toEqual(['two', 'newer']);
  expect(await takeFiles(request({}))).toMatchObject({ added: 0, replaced: 0 });
  expect(await fs.readdir(home)).toEqual(['a']);
});

test('what is in the way is refused by name, or replaced and kept', async () => {
  await fs.writeFile(path.join(home, 'a', 'one'), 'other');
  await expect(takeFiles(request({ from: 'a/one' }))).rejects.toMatchObject({
    code: 'recovery/file-in-the-way',
    message: expect.stringContaining('a/one'),
  });
  const { kept } = await takeFiles(request({ from: 'a/one', overwrite: true }));
  expect([await read('a/one'), await fs.readFile(String(kept), 'utf8')]).toEqual(['one', 'other']);
  await fs.rm(path.join(home, 'a', 'one'));
  await fs.mkdir(path.join(home, 'a', 'one'));
  await expect(takeFiles(request({ overwrite: true }))).rejects.toMatchObject({
    code: 'recovery/way-blocked',
  });
});

test('nothing leads out of the store, by dots or by a link', async () => {
  const outside = path.join(folder, 'outside');
  await fs.mkdir(outside);
  for (const asked of [{ from: '../a' }, { as: '../x' }, { as: 'way/x' }]) {
    await fs.symlink(outside, path.join(home, 'way')).catch(() => {});
    await expect(previewFiles(request(asked))).rejects.toMatchObject({
      code: 'recovery/outside-store',
    });
  }
  await fs.rm(path.join(home, 'a', 'deep'), { recursive: true });
  await fs.symlink(outside, path.join(home, 'a', 'deep'));
  await expect(takeFiles(request({ overwrite: true }))).rejects.toMatchObject({
    code: 'recovery/way-blocked',
  });
  expect(await fs.readdir(outside)).toEqual([]);
  await expect(previewFiles(request({ from: 'absent' }))).rejects.toMatchObject({
    code: 'recovery/not-in-store',
  });
});

test('what a killed one left goes with the next; one that is under way stays', async () => {
  const left = path.join(home, '.holdfast-part-0killed');
  const busy = path.join(home, '.holdfast-part-0busy');
  for (const stage of [left, busy]) {
    await fs.mkdir(path.join(stage, 'new'), { recursive: true });
    await fs.writeFile(path.join(stage, 'lock'), '');
  }
  const lock = await lockFile(path.join(busy, 'lock'));
  await takeFiles(request({ from: 'a/one', as: 'copy' }));
  expect((await fs.readdir(home)).sort()).toEqual(['.holdfast-part-0busy', 'a', 'copy']);
  await lock?.release();
});
