import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { IndexedPack } from '../pack/header.ts';
import { open, QUICK, quickGolden } from '../restic.fixture.ts';
import type { UnpackedFiles } from '../unpacked-files.ts';
import { LoadedIndex } from './load-index.ts';

/** Files in memory whose next listing waits until it is let go. */
function filesInMemory() {
  const stored = new Map<string, Buffer>();
  let gate: Promise<void> = Promise.resolve();
  const files = {
    async list() {
      const ids = [...stored.keys()];
      await gate;
      return ids;
    },
    async save(_kind: string, bytes: Buffer) {
      const id = randomBytes(32).toString('hex');
      stored.set(id, bytes);
      return id;
    },
    async *readInPieces(_kind: string, id: string) {
      yield stored.get(id) as Buffer;
    },
  } as unknown as UnpackedFiles;
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    return resolve;
  };
  return { files, stored, hold };
}

function packOf(id: Buffer): IndexedPack {
  const size = { offset: 0, length: 100, compressed: true, plainLength: 64 };
  return { id: randomBytes(32).toString('hex'), blobs: [{ type: 'data', id, ...size }] };
}

test('an index that is saved while the list is read is not taken for a pruned one', async () => {
  const { files, hold } = filesInMemory();
  const [first, second] = [randomBytes(32), randomBytes(32)];
  const loaded = new LoadedIndex(files);
  await loaded.save([packOf(first)]);
  const letGo = hold();
  const loading = loaded.load();
  await loaded.save([packOf(second)]);
  letGo();
  await loading;
  expect(loaded.index.has('data', first)).toBe(true);
  expect(loaded.index.has('data', second)).toBe(true);
});

test('a call during a pass waits for one that sees what was stored before the call', async () => {
  const { files, hold, stored } = filesInMemory();
  const elsewhere = new LoadedIndex(files);
  const loaded = new LoadedIndex(files);
  const letGo = hold();
  const early = loaded.load();
  const id = randomBytes(32);
  await elsewhere.save([packOf(id)]);
  expect(stored.size).toBe(1);
  const late = loaded.load();
  letGo();
  await Promise.all([early, late]);
  expect(loaded.index.has('data', id)).toBe(true);
});

test('a loaded file that is gone means that somebody pruned: the table is made anew', async () => {
  const { files, stored } = filesInMemory();
  const [gone, kept] = [randomBytes(32), randomBytes(32)];
  const loaded = new LoadedIndex(files);
  const pruned = await loaded.save([packOf(gone)]);
  await loaded.save([packOf(kept)]);
  stored.delete(pruned);
  await loaded.load();
  expect(loaded.index.has('data', gone)).toBe(false);
  expect(loaded.index.has('data', kept)).toBe(true);
});

test('of a repository that is away the index stays, and nothing is said to be gone', async () => {
  const folder = await quickGolden('restic-0.14-max');
  const repository = await open(folder, QUICK);
  await repository.loadIndex();
  const { blobCount } = repository.index;
  await fs.rename(folder, `${folder}.away`);
  // As the place of a disk that was unmounted.
  await fs.mkdir(folder);
  await expect(repository.loadIndex()).rejects.toMatchObject({ code: 'repository/away' });
  await expect(repository.snapshots.list()).rejects.toMatchObject({ code: 'repository/away' });
  expect(repository.index.blobCount).toBe(blobCount);
  await fs.rmdir(folder);
  await fs.rename(`${folder}.away`, folder);
  await repository.loadIndex();
  expect(blobCount).toBeGreaterThan(0);
  expect(repository.index.blobCount).toBe(blobCount);
  await repository.close();
});
