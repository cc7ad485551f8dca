import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '#base';
import { createRepository } from '../open.ts';
import type { Repository } from '../repository.ts';
import { MemoryStorage } from '../storage/memory.ts';
import { openBlockMap, openBlockMapWriter } from './block-map.ts';

const address = { environment: 'shop', stage: 'test', store: 'orders' };
const storage = new MemoryStorage();
let repository: Repository;
let maps = 0;

beforeAll(async () => {
  repository = await createRepository({
    storage,
    password: new Secret('a map'),
    scrypt: { N: 2, r: 1, p: 1 },
  });
});
afterAll(() => repository.close());

/** An id that tells which block of which file it belongs to. */
function idOf(file: number, block: number): Buffer {
  const id = Buffer.alloc(32);
  id.writeUInt32LE(file, 0);
  id.writeUInt32LE(block, 4);
  return id;
}

describe('block map', () => {
  it('finds every block of any files, and nothing else', async () => {
    const file = fc.record({
      name: fc.uint8Array({ minLength: 1, maxLength: 12 }),
      sizeBytes: fc.integer({ min: 0, max: 800 }),
      chunkSizeBytes: fc.integer({ min: 1, max: 400 }).map((size) => size * 8),
    });
    const files = fc.uniqueArray(file, {
      selector: ({ name }) => Buffer.from(name).toString('hex'),
    });
    await fc.assert(
      fc.asyncProperty(files, fc.integer({ min: 1, max: 9 }), async (given, pageIds) => {
        maps += 1;
        const writer = openBlockMapWriter(repository, address, `map-${maps}`, { pageIds });
        await Promise.all(
          given.map(({ name, sizeBytes, chunkSizeBytes }, index) => {
            const blocks = Math.ceil(sizeBytes / chunkSizeBytes);
            const ids = Array.from({ length: blocks }, (_, block) => idOf(index, block));
            return writer.add(
              Buffer.from(name),
              BigInt(sizeBytes),
              chunkSizeBytes,
              Buffer.concat(ids),
            );
          }),
        );
        const name = await writer.finish();
        if (given.length === 0) {
          expect(name).toBeUndefined();
          return;
        }
        const map = await openBlockMap(repository, name as string);
        expect(map.files.length).toBe(given.length);
        for (const [index, { name: path, sizeBytes, chunkSizeBytes }] of given.entries()) {
          const found = map.find(Buffer.from(path));
          if (!found) throw new Error(`lost ${Buffer.from(path).toString('hex')}`);
          expect(found).toMatchObject({ sizeBytes: BigInt(sizeBytes), chunkSizeBytes });
          const blocks = Math.ceil(sizeBytes / chunkSizeBytes);
          for (let block = 0; block < blocks; block += 1)
            expect(await map.blockId(found, block)).toEqual(idOf(index, block));
          await expect(map.blockId(found, blocks)).rejects.toMatchObject({
            code: 'repository/block-map-invalid',
          });
        }
        expect(map.find(Buffer.from('a path that is longer than any'))).toBeUndefined();
      }),
      { numRuns: 20 },
    );
  });

  it('reads one page for one block', async () => {
    const writer = openBlockMapWriter(repository, address, 'large', { pageIds: 100 });
    const ids = Buffer.concat(Array.from({ length: 1000 }, (_, block) => idOf(7, block)));
    await writer.add(Buffer.from('base/1/2'), 8_192_000n, 8192, ids);
    const map = await openBlockMap(repository, (await writer.finish()) as string);
    const reads: string[] = [];
    const { read } = storage;
    storage.read = (name, range) => {
      reads.push(name);
      return read.call(storage, name, range);
    };
    try {
      const file = map.find(Buffer.from('base/1/2'));
      if (!file) throw new Error('the file is not in the map');
      expect(await map.blockId(file, 555)).toEqual(idOf(7, 555));
      expect(await map.blockId(file, 556)).toEqual(idOf(7, 556));
    } finally {
      storage.read = read;
    }
    expect(reads).toEqual(['holdfast/blocks/shop/test/orders/large/pages/00000005']);
  });

  it('survives any bytes in place of its table: an error, never a wrong map', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (bytes, magic) => {
        const table = Buffer.from(bytes);
        if (magic && table.length >= 8) {
          table.writeUInt32LE(0x4d424648, 0);
          table.writeUInt32LE(1, 4);
        }
        await repository.sealed.write('blocks/shop/test/orders/any/table', table);
        const opened = openBlockMap(repository, 'blocks/shop/test/orders/any');
        await opened.then(
          (map) => expect(table.readUInt32LE(8)).toBe(map.files.length),
          (error) => expect(error.code).toMatch(/block-map-invalid|record-too-new/),
        );
      }),
      { numRuns: 100 },
    );
  });
});
