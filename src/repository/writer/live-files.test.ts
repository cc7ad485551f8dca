import { hash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Secret } from '#base';
import { createRepository } from '../open.ts';
import type { Repository } from '../repository.ts';
import { openStorage } from '../storage/all.ts';
import { openWriter } from './open-writer.ts';
import type { LiveFile } from './writer.ts';

const PAGE_BYTES = 8192;
const CHUNK_BYTES = 4 * PAGE_BYTES;

/** A page is right where all its bytes are alike; `mended` is then written over wrong ones, as a server ends a write. */
const CHECK = `
import fs from 'node:fs';
const room = Buffer.alloc(1 << 20);
export const openReadingCheck = ({ file, mends }) => ({
  unitBytes: ${PAGE_BYTES},
  room: () => room,
  wrongUnits(bytes, offset) {
    const wrong = [];
    for (let at = 0; at < bytes.length; at += ${PAGE_BYTES}) {
      const page = bytes.subarray(at, at + ${PAGE_BYTES});
      if (page.every((byte) => byte === page[0])) continue;
      wrong.push(offset + at);
      if (!mends) continue;
      const handle = fs.openSync(file, 'r+');
      fs.writeSync(handle, Buffer.alloc(${PAGE_BYTES}, page[0]), 0, ${PAGE_BYTES}, offset + at);
      fs.closeSync(handle);
    }
    return wrong;
  },
});
`;

let folder: string;
let repository: Repository;
beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-live-'));
  fs.writeFileSync(path.join(folder, 'check.mjs'), CHECK);
  repository = await createRepository({
    storage: await openStorage('memory:live-files'),
    password: new Secret('live'),
    scrypt: { N: 1024, r: 8, p: 1 },
  });
});
afterAll(async () => {
  await repository.close();
  fs.rmSync(folder, { recursive: true });
});

async function save(file: LiveFile) {
  const writer = await openWriter(repository, { workers: 2 });
  const taken: number[] = [];
  const saved = await writer.saveLiveFile(file, {
    taken: () => taken.push(-1),
    mayGoOn: (bytes) => void taken.push(bytes),
  });
  await writer.finish();
  return { saved, taken };
}

function written(name: string, bytes: Buffer): Buffer {
  const file = path.join(folder, name);
  fs.writeFileSync(file, bytes);
  return Buffer.from(file);
}

/** Pages of one byte each, never the same. */
const pages = (count: number) =>
  Buffer.concat(
    Array.from({ length: count }, (_, page) => Buffer.alloc(PAGE_BYTES, 1 + (page % 250))),
  );

const idsOf = (bytes: Buffer) => {
  const ids: string[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    ids.push(hash('sha256', bytes.subarray(at, at + CHUNK_BYTES), 'hex'));
  }
  return ids.join('');
};

const checkOf = (file: Buffer, mends: boolean) => ({
  module: pathToFileURL(path.join(folder, 'check.mjs')).href,
  settings: { file: file.toString(), mends },
});

test.each([0, 3, 4, 2100])('a file of %i pages is taken in chunks of one size', async (count) => {
  const bytes = pages(count);
  const file = written(`whole-${count}`, bytes);
  const { saved, taken } = await save({
    path: file,
    sizeBytes: bytes.length,
    chunkBytes: CHUNK_BYTES,
  });
  expect(saved?.ids.toString('hex')).toBe(idsOf(bytes));
  expect(saved).toMatchObject({ sizeBytes: bytes.length, wrong: [] });
  expect(taken.reduce((sum, one) => sum + one, 1)).toBe(bytes.length);
});

test('of what was cut off since, zeros are taken; of what has grown, nothing', async () => {
  const bytes = pages(2048);
  const expected = Buffer.concat([bytes, Buffer.alloc(10 * PAGE_BYTES + 100)]);
  const short = written('short', bytes);
  const { saved } = await save({
    path: short,
    sizeBytes: expected.length,
    chunkBytes: CHUNK_BYTES,
  });
  expect(saved?.ids.toString('hex')).toBe(idsOf(expected));
  expect(saved?.sizeBytes).toBe(expected.length);
  const long = await save({ path: short, sizeBytes: 5 * PAGE_BYTES, chunkBytes: CHUNK_BYTES });
  expect(long.saved?.ids.toString('hex')).toBe(idsOf(bytes.subarray(0, 5 * PAGE_BYTES)));
});

test('what looks wrong is read again, and taken as it is then', async () => {
  const bytes = pages(20);
  const torn = Buffer.from(bytes);
  torn.fill(251, 17 * PAGE_BYTES + 4096, 18 * PAGE_BYTES);
  const file = written('torn', torn);
  const live = { path: file, sizeBytes: torn.length, chunkBytes: CHUNK_BYTES };
  const damaged = await save({ ...live, check: checkOf(file, false) });
  expect(damaged.saved?.wrong).toEqual([17 * PAGE_BYTES]);
  expect(damaged.saved?.ids.toString('hex')).toBe(idsOf(torn));
  const { saved } = await save({ ...live, check: checkOf(file, true) });
  expect(saved?.wrong).toEqual([]);
  expect(saved?.ids.toString('hex')).toBe(idsOf(bytes));
});

test('of a file that is gone nothing is taken, and one that is no file, or behind a link, is an error', async () => {
  const path = Buffer.from(`${folder}/gone`);
  const live = { sizeBytes: PAGE_BYTES, chunkBytes: CHUNK_BYTES };
  expect((await save({ ...live, path })).saved).toBeUndefined();
  fs.symlinkSync(folder, `${folder}/link`);
  written('behind', pages(1));
  const behind = Buffer.from(`${folder}/link/behind`);
  await expect(save({ ...live, path: behind })).rejects.toMatchObject({ code: 'ESTALE' });
  await expect(save({ ...live, path: Buffer.from(folder) })).rejects.toMatchObject({
    code: 'ESTALE',
  });
});
