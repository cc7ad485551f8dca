import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodePackHeader, encodePackHeader, type PackedBlob, packHeaderBytes } from './header.ts';

const entry = fc.record({
  type: fc.constantFrom('data' as const, 'tree' as const),
  id: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  length: fc.integer({ min: 33, max: 2 ** 24 }),
  compressed: fc.boolean(),
  inflated: fc.integer({ min: 1, max: 0xffff_ffff }),
});

test('headers come back, with offsets that add up', () => {
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      let offset = 0;
      const blobs: PackedBlob[] = entries.map(({ inflated, ...blob }) => {
        const one = {
          ...blob,
          offset,
          plainLength: blob.compressed ? inflated : blob.length - 32,
        };
        offset += blob.length;
        return one;
      });
      const header = encodePackHeader(blobs);
      expect(header).toHaveLength(packHeaderBytes(blobs));
      const back = decodePackHeader(header, 'x');
      expect(back.map((blob) => ({ ...blob, id: new Uint8Array(blob.id) }))).toEqual(blobs);
    }),
  );
});

test('bytes that are no header are refused, and nothing worse', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        const blobs = decodePackHeader(bytes, 'abc');
        expect(packHeaderBytes(blobs)).toBe(bytes.length);
      } catch (error) {
        expect(error).toMatchObject({ code: 'repository/pack-damaged' });
      }
    }),
  );
});
