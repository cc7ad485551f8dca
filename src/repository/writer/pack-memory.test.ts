import { expect, test } from 'vitest';
import { newMasterKey } from '../crypto/master-key.ts';
import { Sealer } from '../crypto/sealer.ts';
import { OpenPack } from './open-pack.ts';
import { createPackMemory, giveBackPack, PIECE_BYTES, takePiece } from './pack-memory.ts';

test('a piece serves one pack at a time, and the next one when it was given back', () => {
  const shared = createPackMemory(2 * PIECE_BYTES);
  const taken = [takePiece(shared), takePiece(shared)];
  expect(taken.map(({ buffer }) => buffer === shared)).toEqual([true, true]);
  const [first, second] = taken.map(({ byteOffset }) => byteOffset) as [number, number];
  expect(second - first).toBe(PIECE_BYTES);
  const beyond = takePiece(shared);
  expect([beyond.buffer instanceof ArrayBuffer, beyond.length]).toEqual([true, PIECE_BYTES]);
  giveBackPack([beyond, taken[1] as Buffer]);
  expect(beyond.length).toBe(0);
  expect(takePiece(shared).byteOffset).toBe(second);
  giveBackPack([(taken[0] as Buffer).subarray(0, 10)]);
  expect(takePiece(shared).byteOffset).toBe(first);
});

test('blobs lie one after another over all pieces, however they are cut by them', () => {
  const sealer = new Sealer(newMasterKey());
  const pack = new OpenPack('data', 10_000, () => Buffer.alloc(100));
  const plain = [1, 0, 60, 250, 37, 100, 31, 32, 900].map((length) => Buffer.alloc(length, length));
  for (const [number, payload] of plain.entries()) {
    const id = Buffer.alloc(32, number);
    pack.add(sealer, { id, payload, compressed: false, plainLength: payload.length });
  }
  const used = pack.usedBytes;
  const whole = Buffer.concat(pack.finish(sealer).parts);
  let at = 0;
  for (const payload of plain) {
    const end = at + payload.length + 32;
    expect(sealer.open(whole.subarray(at, end)).equals(payload)).toBe(true);
    at = end;
  }
  expect(at).toBe(used);
});
