import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BlockList, BlockListWriter, readLazyFiles } from './block-list.ts';

let folder: string;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-blocks-'));
});

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const stat = { ino: 7n, birthtimeNs: 8n } as fs.BigIntStats;

function idsOf(blocks: number): Buffer {
  const ids = Buffer.alloc(blocks * 32);
  for (let block = 0; block < blocks; block += 1) ids.writeUInt32LE(block + 1, block * 32);
  return ids;
}

function lengthsOf(sizeBytes: number, blockBytes: number): number[] {
  const blocks = Math.ceil(sizeBytes / blockBytes);
  return Array.from({ length: blocks }, (_, block) =>
    Math.min(blockBytes, sizeBytes - block * blockBytes),
  );
}

test('files cut evenly are found by any range as those are whose blocks are listed', () => {
  const file = fc.record({
    sizeBytes: fc.integer({ min: 1, max: 5_000 }),
    blockBytes: fc.integer({ min: 1, max: 600 }),
  });
  const range = fc.tuple(fc.nat(5_200), fc.nat(900));
  fc.assert(
    fc.property(fc.array(file, { minLength: 1, maxLength: 4 }), range, (files, [offset, more]) => {
      const state = fs.mkdtempSync(path.join(folder, 'list-'));
      const writer = new BlockListWriter(state);
      for (const { sizeBytes, blockBytes } of files) {
        const lengths = lengthsOf(sizeBytes, blockBytes);
        writer.add(stat, idsOf(lengths.length), { sizeBytes, blockBytes });
        writer.add(stat, idsOf(lengths.length), { lengths });
      }
      writer.finish();
      const list = new BlockList(state, readLazyFiles(state));
      files.forEach(({ sizeBytes }, at) => {
        const [even, listed] = [at * 2, at * 2 + 1];
        const end = Math.min(offset + more, sizeBytes);
        const found = list.blocksOf(even, offset, end);
        expect(found).toEqual(list.blocksOf(listed, offset, end));
        if (offset < end) {
          expect(found[0]?.start).toBeLessThanOrEqual(offset);
          expect(found.at(-1)?.end).toBeGreaterThanOrEqual(end);
        }
      });
      list.close();
      fs.rmSync(state, { recursive: true });
    }),
    { numRuns: 60 },
  );
});
