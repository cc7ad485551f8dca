import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerInit } from './init.ts';
import {
  DirectoryAnswer,
  decodeForgets,
  decodeName,
  decodeRequest,
  encodeAttributes,
  type NodeAttributes,
} from './wire.ts';

const attributes = (more: Partial<NodeAttributes> = {}): NodeAttributes => ({
  node: 7n,
  sizeBytes: 1000n,
  mode: 0o100644,
  links: 1,
  uid: 1,
  gid: 2,
  device: 0,
  atimeNs: 0n,
  mtimeNs: 0n,
  ctimeNs: 0n,
  ...more,
});

describe('times', () => {
  it('hold nanoseconds on both sides of 1970', () => {
    const times = fc.bigInt({ min: -(10n ** 19n), max: 10n ** 19n });
    fc.assert(
      fc.property(times, (mtimeNs) => {
        const bytes = encodeAttributes(attributes({ mtimeNs }), { validMs: 0 });
        const nanoseconds = BigInt(bytes.readUInt32LE(16 + 52));
        expect(bytes.readBigInt64LE(16 + 32) * 1_000_000_000n + nanoseconds).toBe(mtimeNs);
        expect(nanoseconds).toBeLessThan(1_000_000_000n);
      }),
    );
  });
});

describe('a directory answer', () => {
  it('takes lines as long as they fit, at multiples of eight bytes', () => {
    const sizes = fc.integer({ min: 0, max: 4096 });
    const names = fc.array(fc.uint8Array({ minLength: 1, maxLength: 255 }), { maxLength: 40 });
    fc.assert(
      fc.property(sizes, names, fc.boolean(), (sizeBytes, lines, plus) => {
        const answer = new DirectoryAnswer(sizeBytes, plus ? { validMs: 1000 } : undefined);
        const taken = lines.filter((name, index) =>
          answer.add({
            name: Buffer.from(name),
            attributes: attributes(),
            next: BigInt(index + 1),
          }),
        );
        const bytes = answer.bytes();
        expect(bytes.length).toBeLessThanOrEqual(sizeBytes);
        expect(bytes.length % 8).toBe(0);
        expect(namesIn(bytes, plus)).toEqual(taken.map((name) => Buffer.from(name)));
      }),
    );
  });
});

function namesIn(bytes: Buffer, plus: boolean): Buffer[] {
  const names: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const line = at + (plus ? 128 : 0);
    const length = bytes.readUInt32LE(line + 16);
    names.push(bytes.subarray(line + 24, line + 24 + length));
    at = line + ((24 + length + 7) & ~7);
  }
  return names;
}

describe('requests', () => {
  it('that are cut short are none', () => {
    const bytes = Buffer.alloc(48);
    bytes.writeUInt32LE(48, 0);
    expect(decodeRequest(bytes)?.body).toHaveLength(8);
    for (let length = 0; length < 48; length += 1) {
      expect(decodeRequest(bytes.subarray(0, length))).toBeUndefined();
    }
  });

  it('never name more forgotten nodes than there are bytes', () => {
    const body = Buffer.alloc(8 + 32);
    body.writeUInt32LE(4_000_000_000, 0);
    body.writeBigUInt64LE(5n, 8);
    body.writeBigUInt64LE(2n, 16);
    expect(decodeForgets(body)).toEqual([
      { node: 5n, lookups: 2n },
      { node: 0n, lookups: 0n },
    ]);
  });

  it('hold names of any bytes', () => {
    expect(decodeName(Buffer.from([0xff, 0x41, 0, 0x42]))).toEqual(Buffer.from([0xff, 0x41]));
    expect(decodeName(Buffer.from('without end'))).toEqual(Buffer.from('without end'));
  });

  it('of a kernel that is too old are refused with its version', () => {
    const body = Buffer.alloc(16);
    body.writeUInt32LE(7, 0);
    body.writeUInt32LE(26, 4);
    expect(() => answerInit(body)).toThrow(/FUSE 7.26; 7.28 is the least/);
  });

  it('asks for writes of many pages at once', () => {
    const body = Buffer.alloc(16);
    body.writeUInt32LE(7, 0);
    body.writeUInt32LE(31, 4);
    body.writeUInt32LE(0xffffffff, 12);
    const FUSE_BIG_WRITES = 1 << 5;
    expect(answerInit(body).readUInt32LE(12) & FUSE_BIG_WRITES).toBe(FUSE_BIG_WRITES);
  });
});
