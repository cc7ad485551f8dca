import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newMasterKey } from './master-key.ts';
import { SEAL_OVERHEAD_BYTES, Sealer } from './sealer.ts';

const key = newMasterKey();

test('what was sealed opens again, wherever it lies', () => {
  const sealer = new Sealer(key);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5_000 }), fc.nat(40), (plain, offset) => {
      const target = Buffer.alloc(offset + plain.length + SEAL_OVERHEAD_BYTES + 7);
      const length = sealer.sealInto(plain, target, offset);
      expect(length).toBe(plain.length + SEAL_OVERHEAD_BYTES);
      const opened = new Sealer(structuredClone(key)).open(
        target.subarray(offset, offset + length),
      );
      expect(Buffer.compare(opened, plain)).toBe(0);
    }),
  );
});

test('a changed bit or another key is noticed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(), (plain, bit) => {
      const sealed = new Sealer(key).seal(plain);
      const at = bit % (sealed.length * 8);
      sealed[at >> 3] = (sealed[at >> 3] as number) ^ (1 << (at & 7));
      expect(() => new Sealer(key).open(sealed)).toThrow('the bytes are not what was once written');
    }),
  );
  const other = new Sealer(newMasterKey());
  expect(() => other.open(new Sealer(key).seal(Buffer.from('x')))).toThrow();
  expect(() => other.open(Buffer.alloc(31))).toThrow();
});

test('what was sealed in parts opens as a whole, in place too, and the next one as well', () => {
  const sealer = new Sealer(key);
  const parts = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 });
  fc.assert(
    fc.property(parts, (plain) => {
      const sealed = Buffer.concat(sealer.sealParts(plain));
      const whole = Buffer.concat(plain);
      expect(sealed.length).toBe(whole.length + SEAL_OVERHEAD_BYTES);
      expect(sealer.open(sealed).equals(whole)).toBe(true);
      expect(sealer.open(sealer.seal(whole)).equals(whole)).toBe(true);
      expect(sealer.openInPlace(sealed).equals(whole)).toBe(true);
      expect(() => sealer.openInPlace(Buffer.alloc(sealed.length, 1))).toThrow('the bytes are not');
    }),
  );
});

test('what is sealed in steps is put in its order, however long it is', () => {
  const sealer = new Sealer(key);
  for (const length of [0, 1, 65_536, 65_537, 200_000]) {
    const plain = Buffer.alloc(length, length);
    const steps: Buffer[] = [];
    sealer.sealInSteps(plain, (sealed) => steps.push(Buffer.from(sealed)));
    expect(sealer.open(Buffer.concat(steps)).equals(plain)).toBe(true);
    expect(sealer.open(sealer.seal(plain)).equals(plain)).toBe(true);
  }
});

test('an IV is never used twice', () => {
  const sealer = new Sealer(key);
  const ivs = new Set<string>();
  for (let i = 0; i < 500; i += 1) {
    ivs.add(sealer.sealParts([Buffer.alloc(i)])[0]?.toString('hex') as string);
  }
  expect(ivs.size).toBe(500);
  ivs.clear();
  for (let i = 0; i < 2_000; i += 1) ivs.add(sealer.seal(Buffer.of(1)).toString('hex', 0, 16));
  expect(ivs.size).toBe(2_000);
});
