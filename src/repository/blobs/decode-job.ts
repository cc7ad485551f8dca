/**
 * One stretch of a pack, to be decoded: messages between the reading thread and its workers. Numbers lie in one typed
 * array and bytes in transferred buffers, so that a job of a thousand small blobs costs as little as one large blob.
 */

import { SEAL_OVERHEAD_BYTES } from '../crypto/sealer.ts';
import { ID_BYTES } from '../names.ts';
import type { PackedBlob } from '../pack/header.ts';
import type { BlobOpener } from './blob-opener.ts';
import { MAX_BLOB_BYTES } from './open-blob.ts';
import type { PackMemory } from './rooms.ts';

/** Per blob: offset in the stretch, sealed length, plain length, flags. */
const WORDS = 4;
const TREE_FLAG = 1;
const COMPRESSED_FLAG = 2;

export type DecodeJob = {
  packId: string;
  /** It lies at the beginning. */
  sealed: PackMemory;
  numbers: Uint32Array<ArrayBuffer>;
  ids: Uint8Array<ArrayBuffer>;
  /** What is wanted of each blob: its plain bytes, or what lay under its seal (verified all the same). */
  wanted: WantedBytes;
};

export type WantedBytes = 'plain' | 'payload';

/** How many bytes of a blob come back: none of one that says to be larger than any can be. */
export function wantedLength(
  blob: Pick<PackedBlob, 'length' | 'plainLength'>,
  wanted: WantedBytes,
): number {
  if (blob.plainLength > MAX_BLOB_BYTES) return 0;
  return wanted === 'plain' ? blob.plainLength : blob.length - SEAL_OVERHEAD_BYTES;
}

/** The wanted bytes of all blobs, one after another; `whole[i]` is 0 where blob i is damaged (its place is left empty). */
export type DecodedJob = { bytes: ArrayBuffer; whole: Uint8Array<ArrayBuffer> };

/** `start`: where the stretch begins in its pack. `sealed` has memory of its own, or is shared. */
export function decodeJob(
  packId: string,
  start: number,
  blobs: readonly PackedBlob[],
  sealed: PackMemory,
  wanted: WantedBytes = 'plain',
): DecodeJob {
  const numbers = new Uint32Array(blobs.length * WORDS);
  const ids = new Uint8Array(blobs.length * ID_BYTES);
  blobs.forEach((blob, i) => {
    const at = i * WORDS;
    numbers[at] = blob.offset - start;
    numbers[at + 1] = blob.length;
    numbers[at + 2] = blob.plainLength;
    numbers[at + 3] =
      (blob.type === 'tree' ? TREE_FLAG : 0) | (blob.compressed ? COMPRESSED_FLAG : 0);
    ids.set(blob.id, i * ID_BYTES);
  });
  return { packId, sealed, numbers, ids, wanted };
}

export function runDecodeJob(opener: BlobOpener, job: DecodeJob): DecodedJob {
  const blobs = blobsOf(job);
  const whole = new Uint8Array(blobs.length);
  let wantedBytes = 0;
  for (const blob of blobs) wantedBytes += wantedLength(blob, job.wanted);
  const bytes = new Uint8Array(wantedBytes);
  const sealed = new Uint8Array(job.sealed);
  let number = 0;
  let at = 0;
  opener.openEach(job.packId, sealed, blobs, (blob, open) => {
    try {
      bytes.set(open()[job.wanted], at);
      whole[number] = 1;
    } catch {
      // Only noted: whoever asked reads this blob again, alone and from every copy, and tells what is wrong then.
    }
    number += 1;
    at += wantedLength(blob, job.wanted);
  });
  return { bytes: bytes.buffer, whole };
}

/** With offsets in the stretch. */
export function blobsOf({ numbers, ids }: DecodeJob): PackedBlob[] {
  const blobs: PackedBlob[] = [];
  for (let at = 0, id = 0; at < numbers.length; at += WORDS, id += ID_BYTES) {
    const flags = numbers[at + 3] as number;
    blobs.push({
      type: flags & TREE_FLAG ? 'tree' : 'data',
      id: ids.subarray(id, id + ID_BYTES),
      offset: numbers[at] as number,
      length: numbers[at + 1] as number,
      compressed: (flags & COMPRESSED_FLAG) !== 0,
      plainLength: numbers[at + 2] as number,
    });
  }
  return blobs;
}
