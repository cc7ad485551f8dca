import { hash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { randomBytes } from '#base';
import { canMakeDisks, SmallDisk } from '../../../tests/chaos/small-disk.ts';
import { newFolder } from '../restic.fixture.ts';
import { FaultyStorage } from '../storage/faulty.ts';
import { MemoryStorage } from '../storage/memory.ts';
import type { FileHint, Storage } from '../storage/storage.ts';
import { withRangeCache } from './range-cache.ts';

const REPOSITORY = 'a'.repeat(64);
const DATA: FileHint = { blobs: 'data' };

async function made(maxBytes?: number) {
  const folder = await newFolder();
  const far = new FaultyStorage(new MemoryStorage());
  const remote: Storage = Object.assign(far, { isRemote: true });
  const open = () => withRangeCache(remote, REPOSITORY, { folder, ...(maxBytes && { maxBytes }) });
  const pack = randomBytes(300_000);
  const name = `data/aa/${hash('sha256', pack, 'hex')}`;
  await far.write(name, [pack]);
  far.calls.length = 0;
  return { folder, far, open, pack, name };
}

async function keptIn(folder: string): Promise<string[]> {
  const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((one) => one.isFile()).map((one) => path.join(one.parentPath, one.name));
}

describe.runIf(canMakeDisks())('on a full disk', () => {
  test('ranges are read without being kept, and why is told', async () => {
    const { far, pack, name } = await made();
    const disk = new SmallDisk(1);
    const told: string[] = [];
    const onRefused = (error: Error) => void told.push(error.message);
    const remote: Storage = Object.assign(far, { isRemote: true });
    const storage = withRangeCache(remote, REPOSITORY, { folder: disk.folder, onRefused });
    try {
      disk.leave(0);
      for (const offset of [0, 8_192]) {
        const bytes = await storage.read(name, { offset, length: 8_192 }, DATA);
        expect(bytes.equals(pack.subarray(offset, offset + 8_192))).toBe(true);
      }
      expect(told).toEqual([expect.stringMatching(/ENOSPC|no space left/i)]);
    } finally {
      disk.giveBack();
      disk.close();
    }
  });
});

describe('ranges of packs kept nearby', () => {
  test('are fetched once, by whichever process, whole or in part', async () => {
    const { far, open, pack, name } = await made();
    await open().read(name, { offset: 1_000, length: 9_000 }, DATA);
    const other = open();
    for (const [offset, length] of [
      [1_000, 9_000],
      [5_000, 10],
      [9_999, 1],
    ] as const) {
      const bytes = await other.read(name, { offset, length }, DATA);
      expect(bytes.equals(pack.subarray(offset, offset + length))).toBe(true);
    }
    expect(far.calls).toHaveLength(1);
    await other.read(name, { offset: 9_999, length: 2 }, DATA);
    expect(far.calls).toHaveLength(2);
  });

  test('may be damaged or go at any time, and nobody else may look', async () => {
    const { folder, far, open, pack, name } = await made();
    const storage = open();
    const range = { offset: 0, length: 4_096 };
    await storage.read(name, range, DATA);
    const [file = ''] = await keptIn(folder);
    expect((await fs.stat(file)).mode & 0o077).toBe(0);
    expect((await fs.stat(path.dirname(file))).mode & 0o077).toBe(0);
    await fs.writeFile(file, randomBytes(4_096 + 32));
    expect((await storage.read(name, range, DATA)).equals(pack.subarray(0, 4_096))).toBe(true);
    await fs.rm(folder, { recursive: true });
    expect((await storage.read(name, range, DATA)).equals(pack.subarray(0, 4_096))).toBe(true);
    expect(far.calls).toHaveLength(3);
  });

  test('stay below a limit, and what is read goes on where nothing can be kept', async () => {
    const { folder, open, pack, name } = await made(100_000);
    const storage = open();
    for (let offset = 0; offset < 290_000; offset += 10_000) {
      await storage.read(name, { offset, length: 10_000 }, DATA);
    }
    await storage.close();
    const sizes = await Promise.all(
      (await keptIn(folder)).map(async (one) => (await fs.stat(one)).size),
    );
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(100_000);

    const blocked = await made();
    await fs.writeFile(path.join(blocked.folder, REPOSITORY), 'in the way');
    const bytes = await blocked.open().read(blocked.name, { offset: 7, length: 20 }, DATA);
    expect(bytes.equals(blocked.pack.subarray(7, 27))).toBe(true);
    expect(pack).toHaveLength(300_000);
  });
});
