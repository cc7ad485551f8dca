import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CRC32C_START, crc32c, crc32cEnd } from '../wal/crc32c.ts';
import { ContentWindow, WINDOW_BYTES } from './content-window.ts';

const BLOCK_BYTES = 8192;
/** Content of this length and some less is taken in another way than short content. */
const LONG_BYTES = 10_000;
const START_LSN = 0x5_0000_1000n;

test('gathers what comes, up to its size, and gives it out once', () => {
  const window = new ContentWindow();
  const bytes = Buffer.alloc(WINDOW_BYTES + 10, 7);
  expect(window.isEmpty).toBe(true);
  expect(window.add(bytes, 0)).toBe(WINDOW_BYTES);
  expect(window.isFull).toBe(true);
  expect(window.take().equals(bytes.subarray(10))).toBe(true);
  expect(window.add(bytes, WINDOW_BYTES)).toBe(10);
  expect(window.take()).toHaveLength(10);
  expect(window.take()).toHaveLength(0);
});

test('its CRC-32C is that of the bytes, however they were cut', () => {
  const window = new ContentWindow();
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), (parts) => {
      let state = CRC32C_START;
      for (const part of parts) {
        window.add(Buffer.from(part), 0);
        state = window.crc32c(state, window.take());
      }
      expect(crc32cEnd(state)).toBe(crc32c(Buffer.concat(parts)));
    }),
  );
});

test('its CRC-32C is that of long content too, which stays as it was', () => {
  const window = new ContentWindow();
  const all = randomBytes(LONG_BYTES + 64);
  const length = fc.integer({ min: LONG_BYTES - 3000, max: LONG_BYTES });
  fc.assert(
    fc.property(length, fc.nat({ max: 63 }), fc.nat({ max: 100 }), (bytes, from, cut) => {
      const content = all.subarray(from, from + bytes);
      window.add(content.subarray(0, cut), 0);
      const state = window.crc32c(CRC32C_START, window.take());
      window.add(content, cut);
      const taken = window.take();
      expect(crc32cEnd(window.crc32c(state, taken))).toBe(crc32c(content));
      expect(taken.equals(content.subarray(cut))).toBe(true);
    }),
  );
});

/** A page as it was written before the backup; `checksum` is what its field says. */
function page(checksum: number, lsn = START_LSN - 1n): Buffer {
  const bytes = Buffer.alloc(BLOCK_BYTES, 'some rows');
  bytes.writeUInt32LE(Number(lsn >> 32n), 0);
  bytes.writeUInt32LE(Number(lsn & 0xffffffffn), 4);
  bytes.writeUInt16LE(checksum, 8);
  bytes.writeUInt16LE(4096, 14);
  return bytes;
}

const layout = (firstBlock: number) => ({
  firstBlock,
  blockSizeBytes: BLOCK_BYTES,
  startLsn: START_LSN,
});

test('one checksum alone is right for a page, another one for another block', () => {
  const window = new ContentWindow();
  const rightFor = (block: number) => {
    window.add(page(0), 0);
    const bytes = window.take();
    const right: number[] = [];
    for (let checksum = 0; checksum < 65_536; checksum += 1) {
      bytes.writeUInt16LE(checksum, 8);
      if (window.badPages(bytes, layout(block)).length === 0) right.push(checksum);
    }
    return right;
  };
  const [first, second] = [rightFor(131_072), rightFor(131_073)];
  expect(first).toHaveLength(1);
  expect(second).toHaveLength(1);
  expect(first).not.toEqual(second);
});

test('names wrong pages by their block; new ones, newer ones and a torn end are none', () => {
  const window = new ContentWindow();
  const newer = page(1, START_LSN);
  const pages = [page(1), Buffer.alloc(BLOCK_BYTES), page(2), newer, page(3), Buffer.alloc(100, 1)];
  window.add(Buffer.concat(pages), 0);
  expect(window.badPages(window.take(), layout(1000))).toEqual([1000, 1002, 1004]);
});
