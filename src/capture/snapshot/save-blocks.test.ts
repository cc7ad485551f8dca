import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '#base';
import { createRepository, openStorage, openWriter, type Repository } from '#repository';
import type { ContentBlock } from '#sources';
import { saveBlocks } from './save-blocks.ts';

const CHUNK = 65_536;
let folder: string;
let repository: Repository;

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-blocks-'));
  repository = await createRepository({
    storage: await openStorage(path.join(folder, 'repository')),
    password: new Secret('blocks'),
    scrypt: { N: 1024, r: 8, p: 1 },
  });
});
afterAll(async () => {
  await repository.close();
  await fs.rm(folder, { recursive: true, force: true });
});

async function* given(blocks: readonly ContentBlock[]): AsyncGenerator<ContentBlock> {
  yield* blocks;
}

async function contentOf(ids: Buffer): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let at = 0; at < ids.length; at += 32) {
    parts.push(await repository.readBlob('data', ids.subarray(at, at + 32)));
  }
  return Buffer.concat(parts);
}

describe('a file of which some blocks are stored already', () => {
  test('is whole, and stores the others alone', async () => {
    const before = randomBytes(5 * CHUNK + 100);
    const first = await openWriter(repository, { workers: 1 });
    const here = (bytes: Buffer): ContentBlock => ({ from: 'here', bytes });
    const saved = await saveBlocks(repository, first, given([...cut(before)].map(here)), CHUNK);
    await first.finish();
    expect(await contentOf(saved.ids)).toEqual(before);

    const after = Buffer.from(before);
    randomBytes(2 * CHUNK).copy(after, CHUNK);
    const blocks = [...cut(after)].map((bytes, number): ContentBlock => {
      if (number === 1 || number === 2) return here(bytes);
      const id = saved.ids.subarray(number * 32, (number + 1) * 32);
      return { from: 'before', id, sizeBytes: bytes.length };
    });
    const second = await openWriter(repository, { workers: 1 });
    const changed = await saveBlocks(repository, second, given(blocks), CHUNK);
    await second.finish();
    expect(await contentOf(changed.ids)).toEqual(after);
    expect(changed).toMatchObject({ sizeBytes: after.length, newBytes: 2 * CHUNK });
  });

  test('is refused where one of them is gone, and whoever gives them is told to stop', async () => {
    const writer = await openWriter(repository, { workers: 1 });
    let isEnded = false;
    const blocks = async function* (): AsyncGenerator<ContentBlock> {
      try {
        yield { from: 'here', bytes: randomBytes(CHUNK) };
        yield { from: 'before', id: randomBytes(32), sizeBytes: CHUNK };
        yield { from: 'here', bytes: randomBytes(CHUNK) };
      } finally {
        isEnded = true;
      }
    };
    await expect(saveBlocks(repository, writer, blocks(), CHUNK)).rejects.toMatchObject({
      code: 'capture/block-missing',
    });
    expect(isEnded).toBe(true);
    await writer.abort();
  });
});

function* cut(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += CHUNK) yield bytes.subarray(at, at + CHUNK);
}
