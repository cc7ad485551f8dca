import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import sodium from 'sodium-native';
import { expect, test } from 'vitest';
import { MacKeys, SEAL_OVERHEAD_BYTES } from './mac-keys.ts';
import { ManyOpener, MOST_SMALL_BYTES } from './many-opener.ts';
import { newMasterKey } from './master-key.ts';
import { Sealer } from './sealer.ts';

const key = newMasterKey();
const sealer = new Sealer(key);
const opener = new ManyOpener(key);
const macKeys = new MacKeys(key);

/** As the format says, with a counter of one's choice. */
function sealedWith(iv: Buffer, plain: Uint8Array): Buffer {
  const ciphertext = createCipheriv('aes-256-ctr', key.encrypt, iv).update(plain);
  const mac = Buffer.alloc(16);
  sodium.crypto_onetimeauth(mac, ciphertext, macKeys.keyFor(iv));
  return Buffer.concat([iv, ciphertext, mac]);
}

const iv = fc.oneof(
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  // Few blocks before the counter's low words are full, and before all of it is.
  fc.tuple(fc.nat(15), fc.nat(3)).map(([full, left]) =>
    Buffer.alloc(16)
      .fill(0xff, full)
      .fill(0xff - left, 15),
  ),
);
const message = fc
  .tuple(iv, fc.uint8Array({ maxLength: 300 }))
  .map(([counter, plain]) => sealedWith(Buffer.from(counter), plain));

test('messages open together as each does alone, and what was changed or cut doesn’t', () => {
  const messages = fc.array(fc.tuple(message, fc.option(fc.nat())), { maxLength: 20 });
  fc.assert(
    fc.property(messages, (sealed) => {
      const stored = sealed.map(([whole, harm]) => {
        if (harm === null) return whole;
        if (harm % 3 === 0) return whole.subarray(0, harm % whole.length);
        const changed = Buffer.from(whole);
        changed[harm % whole.length] = (whole[harm % whole.length] as number) ^ (1 << (harm % 8));
        return changed;
      });
      const opened = opener.open(stored);
      expect(opened).toHaveLength(sealed.length);
      for (const [i, [whole, harm]] of sealed.entries()) {
        if (harm !== null) expect(opened[i]).toBeUndefined();
        else expect(opened[i]?.equals(sealer.open(whole))).toBe(true);
      }
    }),
  );
});

test('as many are taken as there is room for, each to the last byte', () => {
  const lengths = [MOST_SMALL_BYTES, ...Array(600).fill(SEAL_OVERHEAD_BYTES), 31, 40, 8193].map(
    (length: number) => ({ length }),
  );
  expect(opener.countFrom(lengths, lengths.length - 1)).toBe(0);
  expect(opener.countFrom(lengths, lengths.length - 3)).toBe(0);
  for (const most of [lengths, Array(20).fill({ length: MOST_SMALL_BYTES })]) {
    const count = opener.countFrom(most, 0);
    expect(count).toBeGreaterThan(7);
    expect(count).toBeLessThan(most.length);
    const plain = most.slice(0, count).map(({ length }) => Buffer.alloc(length - 32, length));
    const opened = opener.open(plain.map((one) => sealer.seal(one)));
    expect(opened.every((one, i) => one?.equals(plain[i] as Buffer))).toBe(true);
  }
});
