import { hash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { randomBytes } from '#base';
import { newFolder } from '../restic.fixture.ts';
import { FaultyStorage } from '../storage/faulty.ts';
import { MemoryStorage } from '../storage/memory.ts';
import type { FileHint } from '../storage/storage.ts';
import { LocalCache } from './cache.ts';
import { withCache } from './cached-storage.ts';

const REPOSITORY = 'a'.repeat(64);
const TREE: FileHint = { blobs: 'tree' };

const idOf = (bytes: Uint8Array) => hash('sha256', bytes, 'hex');

async function made(maxBytes?: number) {
  const folder = await newFolder();
  const far = new FaultyStorage(new MemoryStorage());
  const cache = new LocalCache(REPOSITORY, { folder, ...(maxBytes && { maxBytes }) });
  const storage = withCache(far, cache);
  const pack = randomBytes(50_000);
  const packName = `data/${idOf(pack).slice(0, 2)}/${idOf(pack)}`;
  const index = randomBytes(3_000);
  const indexName = `index/${idOf(index)}`;
  return { folder, far, cache, storage, pack, packName, index, indexName };
}

describe('a storage with copies nearby', () => {
  test('asks the storage once for indexes, snapshots and packs of trees', async () => {
    const { far, storage, cache, pack, packName, index, indexName } = await made();
    await far.write(packName, [pack]);
    await far.write(indexName, [index]);
    far.calls.length = 0;
    const other = withCache(far, cache);
    for (const each of [storage, storage, other]) {
      expect((await each.read(indexName)).equals(index)).toBe(true);
      const blobs = await Promise.all(
        [0, 49_000].map((offset) => each.read(packName, { offset, length: 1_000 }, TREE)),
      );
      expect(Buffer.concat(blobs)).toEqual(
        Buffer.concat([pack.subarray(0, 1_000), pack.subarray(49_000)]),
      );
    }
    expect(far.calls).toEqual([`read ${indexName}`, `read ${packName}`]);
  });

  test('keeps what it writes, and nothing of data, keys or locks', async () => {
    const { far, storage, pack, packName, index, indexName } = await made();
    await storage.write(indexName, [index.subarray(0, 5), index.subarray(5)]);
    await storage.write(packName, [pack], TREE);
    await storage.write('keys/a', [Buffer.from('k')]);
    await storage.write('data/dd/data', [Buffer.from('data')], { blobs: 'data' });
    far.calls.length = 0;
    await storage.read(indexName);
    await storage.read(packName, { offset: 1, length: 2 }, TREE);
    expect(far.calls).toEqual([]);
    await storage.read('keys/a');
    await storage.read('data/dd/data', { offset: 0, length: 4 }, { blobs: 'data' });
    // Whoever wants every byte of a pack wants it from the storage.
    await storage.read(packName);
    expect(far.calls).toHaveLength(3);
  });

  test('takes what is damaged, cut or gone for absent', async () => {
    const { folder, far, pack, packName, index, indexName } = await made();
    await far.write(packName, [pack]);
    await far.write(indexName, [index]);
    const file = (name: string) => path.join(folder, REPOSITORY, name);
    const spoil = [
      (name: string) => fs.writeFile(file(name), 'x'.repeat(60_000)),
      (name: string) => fs.truncate(file(name), 10),
      () => fs.rm(folder, { recursive: true, force: true }),
    ];
    for (const damage of spoil) {
      const before = withCache(far, new LocalCache(REPOSITORY, { folder }));
      await before.read(indexName);
      await before.read(packName, { offset: 0, length: 9 }, TREE);
      await damage(indexName);
      await damage(packName);
      const storage = withCache(far, new LocalCache(REPOSITORY, { folder }));
      expect((await storage.read(indexName)).equals(index)).toBe(true);
      const blob = await storage.read(packName, { offset: 7, length: 100 }, TREE);
      expect(blob.equals(pack.subarray(7, 107))).toBe(true);
    }
  });

  test('goes on where nothing can be kept', async () => {
    const { folder, far, storage, pack, packName, index, indexName } = await made();
    await far.write(packName, [pack]);
    await far.write(indexName, [index]);
    await fs.writeFile(path.join(folder, REPOSITORY), 'a file where the folder should be');
    for (let i = 0; i < 3; i += 1) {
      expect((await storage.read(indexName)).equals(index)).toBe(true);
      const blob = await storage.read(packName, { offset: i, length: 5 }, TREE);
      expect(blob.equals(pack.subarray(i, i + 5))).toBe(true);
    }
    await storage.close();
  });

  test('drops what the storage no longer lists, and what is removed', async () => {
    const { far, storage, cache, index, indexName, pack, packName } = await made();
    await storage.write(indexName, [index]);
    await storage.write(packName, [pack], TREE);
    await far.remove(indexName);
    for await (const _file of storage.list('index/')) expect.unreachable();
    expect(await cache.take(indexName)).toBeUndefined();
    await storage.remove(packName);
    expect(await cache.take(packName)).toBeUndefined();
  });

  test('hands damage of the storage on, and keeps none of it', async () => {
    const { far, storage, cache, indexName } = await made();
    await far.write(indexName, [Buffer.from('not what the name says')]);
    expect((await storage.read(indexName)).toString()).toBe('not what the name says');
    expect(await cache.take(indexName)).toBeUndefined();
  });
});

describe('the folder', () => {
  test('stays below its limit: what was used last stays', async () => {
    const { folder, cache } = await made(100_000);
    for (let i = 0; i < 8; i += 1) {
      await cache.write(`f${i}`, [randomBytes(20_000)]);
      const at = 1_700_000_000 + i * 10;
      await fs.utimes(path.join(folder, REPOSITORY, 'derived', `f${i}`), at, at);
    }
    await cache.read('f5');
    await cache.tidy();
    const left = await fs.readdir(path.join(folder, REPOSITORY, 'derived'));
    expect(left.length).toBeLessThanOrEqual(4);
    expect(left).toContain('f5');
    expect(left).not.toContain('f0');
  });

  test('of a repository that nobody used for two months goes, and nothing else', async () => {
    const { folder, cache } = await made();
    await cache.write('a', [Buffer.from('1')]);
    const old = new Date(Date.now() - 61 * 24 * 3_600_000);
    for (const name of ['b'.repeat(64), 'somebody-elses']) {
      await fs.mkdir(path.join(folder, name));
      await fs.utimes(path.join(folder, name), old, old);
    }
    await cache.tidy();
    expect((await fs.readdir(folder)).sort()).toEqual([REPOSITORY, 'somebody-elses']);
  });
});

describe('derived files', () => {
  test('come back into memory of the caller, or not at all', async () => {
    const { folder, cache } = await made();
    expect(await cache.read('table')).toBeUndefined();
    const bytes = randomBytes(10_000);
    await cache.write('table', [bytes.subarray(0, 1), bytes.subarray(1)]);
    const shared = new SharedArrayBuffer(10_000);
    const read = await cache.read('table', (length) => new Uint8Array(shared, 0, length));
    expect(Buffer.from(shared).equals(bytes)).toBe(true);
    expect(read).toHaveLength(10_000);
    const file = path.join(folder, REPOSITORY, 'derived/table');
    const stored = await fs.readFile(file);
    stored[5_000] = (stored[5_000] as number) ^ 1;
    await fs.writeFile(file, stored);
    expect(await cache.read('table')).toBeUndefined();
    await fs.writeFile(file, '');
    expect(await cache.read('table')).toBeUndefined();
    await cache.remove('table');
    await cache.remove('table');
  });
});
