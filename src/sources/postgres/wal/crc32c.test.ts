import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CRC32C_START, crc32c, crc32cEnd, crc32cUpdate } from './crc32c.ts';

/** Bit by bit, as the polynomial says it. */
function slowly(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

test('the check value of the catalogue of CRCs', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
});

test('any alignment and any cut give the same', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 1500 }),
      fc.nat(7),
      fc.nat(1500),
      (content, shift, cutAt) => {
        const room = new Uint8Array(content.length + shift);
        room.set(content, shift);
        const bytes = room.subarray(shift);
        const cut = Math.min(cutAt, bytes.length);
        const first = crc32cUpdate(CRC32C_START, bytes, 0, cut);
        expect(crc32cEnd(crc32cUpdate(first, bytes, cut, bytes.length))).toBe(slowly(content));
      },
    ),
  );
});
