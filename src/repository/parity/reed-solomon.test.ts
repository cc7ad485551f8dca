import { hash } from 'node:crypto';
import fs from 'node:fs';
import asc from 'assemblyscript/asc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomBytes } from '#base';
import { layoutFor } from './layout.ts';
import { mendPack, sidecarOf } from './mend-pack.ts';
import { ReedSolomon } from './reed-solomon.ts';
import { decodeSidecar } from './sidecar.ts';

const code = new ReedSolomon();
const MIB = 1024 * 1024;

function packOf(bytes: number) {
  const pack = randomBytes(bytes);
  const id = hash('sha256', pack, 'hex');
  return { pack, id, sidecar: sidecarOf(code, id, [pack], 0.03) };
}

function damaged(pack: Buffer, places: readonly number[], length = 1): Buffer {
  const copy = Buffer.from(pack);
  for (const place of places) {
    for (let at = place; at < Math.min(place + length, copy.length); at += 1) {
      copy[at] = (copy[at] as number) ^ 0x5a;
    }
  }
  return copy;
}

function expectMended(id: string, pack: Buffer, stored: Buffer, sidecar: Buffer): void {
  const answer = mendPack(code, id, stored, sidecar);
  expect(answer.outcome).toBe('mended');
  if (answer.outcome === 'mended') expect(answer.bytes.equals(pack)).toBe(true);
}

describe('a pack with parity', () => {
  test('costs three in a hundred where it is large', () => {
    for (const bytes of [2 * MIB, 16 * MIB, 64 * MIB + 17]) {
      const { pack, sidecar } = bytes > 16 * MIB ? packOf(20 * MIB + 17) : packOf(bytes);
      expect(sidecar.length / pack.length).toBeLessThan(0.032);
    }
  });

  test('comes back from two places of damage, whatever its size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60_000 }),
        fc.nat(),
        fc.nat(),
        fc.nat(50),
        (size, one, two, tail) => {
          const { pack, id, sidecar } = packOf(size);
          const places = [one % size, two % size];
          const flipped = damaged(pack, places);
          if (flipped.equals(pack)) return;
          expectMended(id, pack, flipped, sidecar);
          expectMended(id, pack, pack.subarray(0, Math.max(size - 1 - tail, 0)), sidecar);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('comes back from a burst and from a cut tail of nearly the overhead', () => {
    const { pack, id, sidecar } = packOf(5 * MIB + 123);
    const { sectorBytes, stripes, rows } = layoutFor(pack.length);
    const burst = (stripes * rows - 1) * sectorBytes;
    expect(burst / pack.length).toBeGreaterThan(0.027);
    expectMended(id, pack, damaged(pack, [777_777], burst), sidecar);
    expectMended(id, pack, pack.subarray(0, -burst), sidecar);
    expectMended(id, pack, Buffer.concat([pack, randomBytes(1000)]), sidecar);
    const worse = damaged(pack, [777_777], burst + 2 * sectorBytes);
    expect(mendPack(code, id, worse, sidecar)).toMatchObject({ outcome: 'beyond' });
  });

  test('comes back though its sidecar is damaged as well: either head, and sectors of parity', () => {
    const { pack, id, sidecar } = packOf(3 * MIB);
    const stored = damaged(pack, [5, 1_000_000, 2_000_000]);
    for (const place of [3, 60, sidecar.length - 2, sidecar.length - 300]) {
      expectMended(id, pack, stored, damaged(sidecar, [place], 20));
    }
    const middle = sidecar.length / 2;
    expectMended(id, pack, stored, damaged(sidecar, [middle], 9_000));
    expectMended(id, pack, stored, sidecar.subarray(0, middle));
    const longer = Buffer.concat([sidecar, randomBytes(100)]);
    expect(decodeSidecar(id, sidecar)?.whole).toBe(true);
    expect(decodeSidecar(id, longer)?.whole).toBe(false);
    expectMended(id, pack, stored, longer);
    expect(mendPack(code, id, stored, randomBytes(5_000))).toMatchObject({ outcome: 'beyond' });
  });

  test('is never mended into other bytes by the sidecar of another pack', () => {
    const { pack, id } = packOf(100_000);
    const other = packOf(100_000);
    const answer = mendPack(code, id, damaged(pack, [7]), other.sidecar);
    expect(answer).toMatchObject({ outcome: 'beyond' });
    expect(mendPack(code, id, pack, other.sidecar)).toEqual({ outcome: 'whole' });
  });

  test('takes a sidecar from anybody: no bytes make it fail or allocate without bound', () => {
    const { pack, id, sidecar } = packOf(30_000);
    const stored = damaged(pack, [7]);
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat(), (place, bits, cut) => {
        const forged = Buffer.from(
          sidecar.subarray(0, cut % 3 === 0 ? cut % sidecar.length : undefined),
        );
        if (forged.length > 0) {
          forged[place % forged.length] = (forged[place % forged.length] as number) ^ bits;
        }
        const answer = mendPack(code, id, stored, forged);
        if (answer.outcome === 'mended') expect(answer.bytes.equals(pack)).toBe(true);
      }),
    );
  });
});

test('the committed reed-solomon.wasm is what its source compiles to', async () => {
  const source = fs.readFileSync(new URL('reed-solomon.as.ts', import.meta.url), 'utf8');
  let compiled: Uint8Array | undefined;
  const { error } = await asc.main(
    [
      ...['reed-solomon.as.ts', '-O3', '--runtime', 'stub', '--noAssert'],
      ...['--enable', 'simd', '--outFile', 'reed-solomon.wasm'],
    ],
    {
      readFile: (name) => (name === 'reed-solomon.as.ts' ? source : null),
      writeFile: (name, contents) => {
        if (name === 'reed-solomon.wasm') compiled = contents as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  expect(error).toBeNull();
  const committed = fs.readFileSync(new URL('reed-solomon.wasm', import.meta.url));
  expect(Buffer.from(compiled as Uint8Array).equals(committed)).toBe(true);
});
