/** A whole pack against itself: its name, its header, each of its blobs. */
import { hash } from 'node:crypto';
import { HoldfastError, messageOf } from '#base';
import type { BlobOpener } from '../blobs/blob-opener.ts';
import type { Sealer } from '../crypto/sealer.ts';
import { errors } from '../errors.ts';
import { decodePackHeader, MAX_PACK_HEADER_BYTES, type PackedBlob } from './header.ts';

const LENGTH_BYTES = 4;

/** Plain values, so that a worker thread can answer with it. */
export type PackVerdict = {
  /** What is wrong, in words; empty where the pack is whole. */
  problems: string[];
  /** Hex ids of blobs that can't be read from this pack. */
  damagedBlobs: string[];
};

/**
 * `expected`: what the index says of this pack, used where the header is damaged. `onTree`: told of each tree that is
 * whole; the bytes hold until it returns.
 */
export function verifyPack(
  opener: BlobOpener,
  packId: string,
  bytes: Buffer,
  expected: readonly PackedBlob[],
  onTree?: (id: Uint8Array, plain: Buffer) => void,
): PackVerdict {
  const problems: string[] = [];
  const found = hash('sha256', bytes, 'hex');
  if (found !== packId) problems.push(`its SHA-256 is ${found.slice(0, 12)}…`);
  const blobs = headerOf(opener.sealer, packId, bytes, problems);
  const damagedBlobs: string[] = [];
  const told = expected.length > 0 ? expected : (blobs ?? []);
  opener.openEach(packId, bytes, told, (blob, open) => {
    try {
      const { plain } = open();
      if (onTree && blob.type === 'tree') onTree(blob.id, plain);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      problems.push(error.message);
      damagedBlobs.push(Buffer.from(blob.id).toString('hex'));
    }
  });
  if (blobs && expected.length > 0 && !sameBlobs(blobs, expected)) {
    problems.push('the index tells other blobs than its header');
  }
  return { problems, damagedBlobs };
}

/** The plain header of a pack. Throws `repository/pack-damaged`. */
export function openPackHeader(sealer: Sealer, packId: string, bytes: Buffer): PackedBlob[] {
  const length = bytes.length < LENGTH_BYTES ? 0 : bytes.readUInt32LE(bytes.length - LENGTH_BYTES);
  const start = bytes.length - LENGTH_BYTES - length;
  if (length === 0 || length > MAX_PACK_HEADER_BYTES || start < 0) {
    throw errors.packDamaged([packId, 'it has no header']);
  }
  try {
    const plain = sealer.open(bytes.subarray(start, bytes.length - LENGTH_BYTES));
    return decodePackHeader(plain, packId);
  } catch (cause) {
    throw errors.packDamaged([packId, `its header can't be read: ${messageOf(cause)}`], { cause });
  }
}

function headerOf(
  sealer: Sealer,
  packId: string,
  bytes: Buffer,
  problems: string[],
): PackedBlob[] | undefined {
  try {
    return openPackHeader(sealer, packId, bytes);
  } catch (error) {
    problems.push(messageOf(error));
    return undefined;
  }
}

function sameBlobs(header: readonly PackedBlob[], index: readonly PackedBlob[]): boolean {
  const byOffset = [...index].sort((a, b) => a.offset - b.offset);
  return (
    header.length === byOffset.length &&
    header.every((blob, i) => {
      const other = byOffset[i] as PackedBlob;
      return (
        blob.type === other.type &&
        blob.offset === other.offset &&
        blob.length === other.length &&
        blob.plainLength === other.plainLength &&
        Buffer.compare(blob.id, other.id) === 0
      );
    })
  );
}
