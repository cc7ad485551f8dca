import { createHash } from 'node:crypto';
import fs from 'node:fs';
import asc from 'assemblyscript/asc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newPolynomial } from '../chunker-polynomial.ts';
import type { Chunking } from '../writer/writer.ts';
import { ChunkWindow } from './chunk-window.ts';
import { MAX_CHUNK_BYTES, MIN_CHUNK_BYTES } from './content-cutter.ts';
import { createCutter } from './cutter.ts';

const MIB = 1024 * 1024;
const CONTENT: Chunking = { kind: 'content' };

/** Pseudo-random bytes that follow from the seed. */
function noise(seed: number, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let made = 0; made < length; made += 32) {
    blocks.push(createHash('sha256').update(`${seed} ${made}`).digest());
  }
  return Buffer.concat(blocks).subarray(0, length);
}

/** Ids and lengths of the chunks of the bytes, fed in pieces of the given sizes, again and again. */
function chunksOf(window: ChunkWindow, bytes: Buffer, pieces: readonly number[]) {
  const chunks: { id: string; length: number }[] = [];
  const takeAll = (ended: boolean) => {
    for (let chunk = window.next(ended); chunk; chunk = window.next(ended)) {
      chunks.push({ id: createHash('sha256').update(chunk).digest('hex'), length: chunk.length });
    }
  };
  window.restart();
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const wanted = pieces[turn % pieces.length] as number;
    const copied = bytes.copy(window.room(), 0, at, at + wanted);
    window.filled(copied);
    at += copied;
    takeAll(false);
  }
  takeAll(true);
  return chunks;
}

const cut = (bytes: Buffer, secret = 'secret', chunking: Chunking = CONTENT) =>
  chunksOf(new ChunkWindow(createCutter(chunking, secret)), bytes, [MIB]);

describe('content-defined chunks', () => {
  const body = noise(1, 24 * MIB);

  test('cover the body in order, within the bounds', () => {
    const chunks = cut(body);
    let at = 0;
    for (const { id, length } of chunks) {
      expect(id).toBe(
        createHash('sha256')
          .update(body.subarray(at, at + length))
          .digest('hex'),
      );
      at += length;
    }
    expect(at).toBe(body.length);
    for (const { length } of chunks.slice(0, -1)) {
      expect(length).toBeGreaterThan(MIN_CHUNK_BYTES);
      expect(length).toBeLessThanOrEqual(MAX_CHUNK_BYTES);
    }
    expect(chunks.length).toBeGreaterThan(10);
    expect(chunks.length).toBeLessThan(36);
  });

  test('do not depend on the pieces in which the bytes come', () => {
    const window = new ChunkWindow(createCutter(CONTENT, 'secret'));
    const whole = cut(body);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 30_000, max: 9 * MIB }), { minLength: 1, maxLength: 5 }),
        (pieces) => {
          expect(chunksOf(window, body, pieces)).toEqual(whole);
        },
      ),
      { numRuns: 8 },
    );
  });

  test('are found again after an insertion', () => {
    const before = new Set(cut(body).map(({ id }) => id));
    const inserted = Buffer.concat([
      body.subarray(0, 5 * MIB),
      noise(2, 777),
      body.subarray(5 * MIB),
    ]);
    const changed = cut(inserted).filter(({ id }) => !before.has(id));
    expect(changed.length).toBeLessThanOrEqual(3);
  });

  test('lie elsewhere under another secret', () => {
    const lengths = (secret: string) => cut(body, secret).map(({ length }) => length);
    expect(lengths('one')).not.toEqual(lengths('other'));
  });

  test('of a body without any variety are the longest', () => {
    expect(cut(Buffer.alloc(17 * MIB)).map(({ length }) => length)).toEqual([
      MAX_CHUNK_BYTES,
      MAX_CHUNK_BYTES,
      MIB,
    ]);
  });

  test('of a small body are one, of none none', () => {
    expect(cut(body.subarray(0, MIN_CHUNK_BYTES))).toHaveLength(1);
    expect(cut(Buffer.alloc(0))).toEqual([]);
  });

  test('stay as they are, or old snapshots would share nothing with new ones', () => {
    expect(cut(body.subarray(0, 8 * MIB)).map(({ length }) => length)).toMatchInlineSnapshot(`
      [
        1633470,
        1500048,
        2108475,
        1136252,
        1919945,
        90418,
      ]
    `);
  });
});

test('fixed chunks are all of one size but the last', () => {
  const lengths = cut(noise(3, 300_000), '', { kind: 'fixed', sizeBytes: 131_072 });
  expect(lengths.map(({ length }) => length)).toEqual([131_072, 131_072, 37_856]);
});

test.each(['gear', 'rabin'])(
  'the committed %s.wasm is what its source compiles to',
  async (name) => {
    const source = fs.readFileSync(new URL(`${name}.as.ts`, import.meta.url), 'utf8');
    let compiled: Uint8Array | undefined;
    const { error } = await asc.main(
      [`${name}.as.ts`, '-O3', '--runtime', 'stub', '--noAssert', '--outFile', `${name}.wasm`],
      {
        readFile: (file) => (file === `${name}.as.ts` ? source : null),
        writeFile: (file, contents) => {
          if (file === `${name}.wasm`) compiled = contents as Uint8Array;
        },
        listFiles: () => [],
      },
    );
    expect(error).toBeNull();
    const committed = fs.readFileSync(new URL(`${name}.wasm`, import.meta.url));
    expect(Buffer.from(compiled as Uint8Array).equals(committed)).toBe(true);
  },
);

describe("restic's cuts", () => {
  const rabin = () => new ChunkWindow(createCutter(CONTENT, newPolynomial(), 'rabin'));

  test('do not depend on the pieces in which the bytes come', () => {
    const body = noise(5, 12 * MIB);
    const window = rabin();
    const whole = chunksOf(window, body, [MIB]);
    // Each at most 8 MiB, wherever the polynomial of this time cuts.
    expect(whole.length).toBeGreaterThan(1);
    expect(chunksOf(window, body, [999_983, 7, 64 * 1024])).toEqual(whole);
  });

  test('stay within the bounds', () => {
    const lengths = chunksOf(rabin(), Buffer.alloc(20 * MIB), [MIB]).map(({ length }) => length);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(MAX_CHUNK_BYTES);
    expect(Math.min(...lengths.slice(0, -1))).toBeGreaterThanOrEqual(MIN_CHUNK_BYTES);
  });
});
