import { SEAL_OVERHEAD_BYTES, type Sealer } from '../crypto/sealer.ts';

const LENGTH_BYTES = 4;

/** What follows a pack's blobs: the sealed header (see `encodePackHeader`) and its sealed length as uint32-LE. */
export function sealPackTail(plainHeader: Uint8Array, sealer: Sealer): Buffer {
  const tail = Buffer.allocUnsafe(plainHeader.length + SEAL_OVERHEAD_BYTES + LENGTH_BYTES);
  const sealedBytes = sealer.sealInto(plainHeader, tail, 0);
  tail.writeUInt32LE(sealedBytes, sealedBytes);
  return tail;
}
