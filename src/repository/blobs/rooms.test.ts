import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { randomBytes } from '#base';
import { openStorage } from '../storage/all.ts';
import { Rooms } from './rooms.ts';

test('what is read lies in memory that is used again, as it was stored', async () => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-rooms-'));
  try {
    const storage = await openStorage(folder);
    const stored = [70_000, 5_000, 90_000].map((bytes) => randomBytes(bytes));
    const rooms = new Rooms();
    const seen = new Set<ArrayBufferLike>();
    for (const [number, bytes] of stored.entries()) {
      await storage.write(`data/${number}`, [bytes]);
      const read = await storage.read(`data/${number}`, undefined, rooms.hint);
      expect(read.equals(bytes)).toBe(true);
      const memory = rooms.memoryOf(read);
      seen.add(memory);
      rooms.give(memory);
    }
    expect(seen.size).toBe(1);
    await storage.close();
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
});

test('nobody gets memory that another one still has, or that is too small', () => {
  const rooms = new Rooms();
  const first = rooms.take(1_000) as SharedArrayBuffer;
  expect(rooms.take(1_000)).not.toBe(first);
  rooms.give(first);
  const larger = rooms.take(first.byteLength + 1);
  expect(larger?.byteLength).toBeGreaterThan(first.byteLength);
  expect(rooms.take(1)).toBe(first);
  expect(rooms.take(64 * 1024 * 1024)).toBeUndefined();
});
