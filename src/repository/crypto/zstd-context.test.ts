import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compress, decompress } from './compression.ts';
import { Compressor, Decompressor } from './zstd-context.ts';

const body = fc.oneof(
  fc.uint8Array({ maxLength: 2000 }),
  fc
    .tuple(fc.nat({ max: 300_000 }), fc.nat({ max: 255 }))
    .map(([bytes, value]) => Buffer.alloc(bytes, value)),
  fc.nat({ max: 200_000 }).map((bytes) => randomBytes(bytes)),
);

describe('contexts that are used again', () => {
  it('give the same frames as one for each body, whatever came before', () => {
    const compressor = new Compressor();
    fc.assert(
      fc.property(body, (plain) => {
        expect(compressor.compress(plain).equals(compress(plain))).toBe(true);
      }),
    );
  });

  it.each(['usual', 'pages'] as const)('bring every frame back, compressed as %s', (how) => {
    const compressor = new Compressor(how);
    const decompressor = new Decompressor();
    fc.assert(
      fc.property(body, (plain) => {
        const back = decompressor.decompress(compressor.compress(plain), plain.length);
        expect(back.equals(plain)).toBe(true);
      }),
    );
  });

  it('read frames that do not tell their size, as other writers leave them', async () => {
    const { createZstdCompress } = await import('node:zlib');
    const stream = createZstdCompress();
    stream.write(Buffer.alloc(70_000, 'a'));
    stream.end(Buffer.alloc(70_000, 'b'));
    const frame = Buffer.concat(await Array.fromAsync(stream));
    const plain = new Decompressor().decompress(frame, 140_000);
    expect(plain.equals(decompress(frame, 140_000))).toBe(true);
  });

  it('go on after frames that are cut, changed, too long, or followed by something', () => {
    const good = Buffer.from('what must come back, '.repeat(500));
    const frame = compress(good);
    const decompressor = new Decompressor();
    fc.assert(
      fc.property(
        fc.nat({ max: frame.length - 1 }),
        fc.constantFrom('cut', 'changed', 'more', 'longer' as const),
        (at, how) => {
          const broken = Buffer.concat([
            how === 'cut' ? frame.subarray(0, at) : frame,
            how === 'more' ? frame : Buffer.alloc(0),
          ]);
          if (how === 'changed') broken[at] = (broken[at] as number) ^ 0x10;
          const expected = how === 'longer' ? good.length - 1 - at : good.length;
          expect(outcome(() => decompressor.decompress(broken, expected))).toEqual(
            outcome(() => decompress(broken, expected)),
          );
          expect(decompressor.decompress(frame, good.length).equals(good)).toBe(true);
        },
      ),
    );
  });
});

function outcome(run: () => Buffer): string {
  try {
    return run().toString('latin1');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}
