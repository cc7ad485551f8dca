/**
 * One stretch of a pack, to be decoded: messages between the reading thread and its workers. Numbers lie in one typed
 * array and bytes in transferred buffers, so that a job of a thousand small blobs costs as little as one large blob.
 */

import type { Sealer } from '../crypto/sealer.ts';
import type { Decompressor } from '../crypto/zstd-context.ts';
import { ID_BYTES } from '../names.ts';
import type { PackedBlob } from '../pack/header.ts';
import { openBlob } from './open-blob.ts';

/** Per blob: offset in the stretch, sealed length, plain length, flags. */
const WORDS = 4;
const TREE_FLAG = 1;
const COMPRESSED_FLAG = 2;

export type DecodeJob = {
  packId: string;
  sealed: ArrayBuffer;
  numbers: Uint32Array<ArrayBuffer>;
  ids: Uint8Array<ArrayBuffer>;
};

/** Plain bytes of all blobs, one after another; `whole[i]` is 0 where blob i is damaged (its place is left empty). */
export type DecodedJob = { plain: ArrayBuffer; whole: Uint8Array<ArrayBuffer> };

/** `start`: where the stretch begins in its pack. `sealed` has memory of its own. */
export function decodeJob(
  packId: string,
  start: number,
  blobs: readonly PackedBlob[],
  sealed: ArrayBuffer,
): DecodeJob {
  const numbers = new Uint32Array(blobs.length * WORDS);
  const ids = new Uint8Array(blobs.length * ID_BYTES);
  blobs.forEach((blob, i) => {
    const flags = (blob.type === 'tree' ? TREE_FLAG : 0) | (blob.compressed ? COMPRESSED_FLAG : 0);
    numbers.set([blob.offset - start, blob.length, blob.plainLength, flags], i * WORDS);
    ids.set(blob.id, i * ID_BYTES);
  });
  return { packId, sealed, numbers, ids };
}

export function runDecodeJob(
  sealer: Sealer,
  job: DecodeJob,
  decompressor?: Decompressor,
): DecodedJob {
  const count = job.numbers.length / WORDS;
  const whole = new Uint8Array(count);
  let plainBytes = 0;
  for (let i = 0; i < count; i += 1) plainBytes += job.numbers[i * WORDS + 2] as number;
  const plain = new Uint8Array(plainBytes);
  const sealed = new Uint8Array(job.sealed);
  let at = 0;
  for (let i = 0; i < count; i += 1) {
    const [offset, length, plainLength, flags] = job.numbers.subarray(i * WORDS) as unknown as [
      number,
      number,
      number,
      number,
    ];
    const blob: PackedBlob = {
      type: flags & TREE_FLAG ? 'tree' : 'data',
      id: job.ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES),
      offset,
      length,
      compressed: (flags & COMPRESSED_FLAG) !== 0,
      plainLength,
    };
    try {
      const own = sealed.subarray(offset, offset + length);
      plain.set(openBlob(sealer, blob, job.packId, own, decompressor), at);
      whole[i] = 1;
    } catch {
      // Only noted: whoever asked reads this blob again, alone and from every copy, and tells what is wrong then.
    }
    at += plainLength;
  }
  return { plain: plain.buffer, whole };
}
