/** Many blobs at once: a range of a pack per request, decoded in worker threads, with bounded memory. */

import { freeNow, HoldfastError } from '#base';
import { Sealer } from '../crypto/sealer.ts';
import { errors } from '../errors.ts';
import { type BlobType, packName } from '../names.ts';
import type { PackedBlob } from '../pack/header.ts';
import type { ReadBlobsOptions, Repository } from '../repository.ts';
import {
  type DecodedJob,
  type DecodeJob,
  decodeJob,
  type WantedBytes,
  wantedLength,
} from './decode-job.ts';
import { hex, LARGE_BLOB_BYTES, openLargeBlob } from './open-blob.ts';
import { ownBuffer } from './own-buffer.ts';
import type { PackMemory } from './rooms.ts';
import { type Stretch, stretches, wantedEntries } from './stretches.ts';

const DEFAULT_BYTES_IN_FLIGHT = 96 * 1024 * 1024;

/** Shorter stretches may be very many at once, and get memory from the C library that was used before. */
const BYTES_WORTH_ROOM = 2 * 1024 * 1024;

export type Decode = (job: DecodeJob) => DecodedJob | Promise<DecodedJob>;

/** The id holds longer than the bytes. `compressed`: what the bytes are, which is never so for plain ones. */
export type ReadBlob = {
  id: Buffer;
  bytes: Buffer;
  compressed: boolean;
  plainLength: number;
  /** Nobody else will use their memory. */
  isOwn?: boolean;
};

type Reading = StretchReading & { wanted: WantedBytes; decode: Decode };

export function readBlobs(reading: Reading, ids: Uint8Array): Promise<void> {
  return eachStretch(reading, ids, (stretch, sealed) => giveStretch(reading, stretch, sealed));
}

/** What is needed to read blobs, whatever becomes of them. */
export type StretchReading = {
  repository: Repository;
  type: BlobType;
  /** Told of each blob that doesn't come with its stretch. */
  onBlob: (blob: ReadBlob) => void | Promise<void>;
  options: ReadBlobsOptions;
};

/**
 * Many stretches at once, within the bound of memory. `take` gets the sealed bytes at the beginning of memory of their
 * own; where it is one of the rooms that were handed in, until its promise settles.
 */
export async function eachStretch(
  reading: StretchReading,
  ids: Uint8Array,
  take: (stretch: Stretch, sealed: PackMemory) => Promise<void>,
): Promise<void> {
  const { repository, type, options } = reading;
  const { index } = repository;
  const { entries, unknown } = wantedEntries(index, type, ids);
  for (const id of unknown) await giveUp(reading, id, errors.blobMissing([type, hex(id)]));

  const maxBytes = options.maxBytesInFlight ?? DEFAULT_BYTES_IN_FLIGHT;
  const underway = new Set<Promise<void>>();
  let bytes = 0;
  let failure: { error: unknown } | undefined;
  for (const stretch of stretches(index, entries)) {
    const weight = stretch.length + stretch.plainBytes;
    while (underway.size > 0 && bytes + weight > maxBytes && !failure) await Promise.race(underway);
    // What is under way is waited for: nobody may still be at work when this has rejected.
    if (options.signal?.aborted) failure ??= { error: options.signal.reason };
    if (failure) break;
    bytes += weight;
    const one: Promise<void> = readStretch(reading, stretch, take)
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => {
        bytes -= weight;
        underway.delete(one);
      });
    underway.add(one);
  }
  await Promise.all(underway);
  if (failure) throw failure.error;
}

async function readStretch(
  reading: StretchReading,
  stretch: Stretch,
  take: (stretch: Stretch, sealed: PackMemory) => Promise<void>,
): Promise<void> {
  const { repository, options } = reading;
  const { rooms } = options;
  const { packId, offset, length, blobs } = stretch;
  let sealed: Buffer;
  try {
    const room = length < BYTES_WORTH_ROOM ? {} : rooms?.hint;
    const hint = { blobs: reading.type, ...room };
    sealed = await repository.storage.read(packName(packId), { offset, length }, hint);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    await Promise.all(blobs.map((blob) => readAlone(reading, blob)));
    return;
  }
  options.signal?.throwIfAborted();
  const memory = rooms ? rooms.memoryOf(sealed) : ownBuffer(sealed);
  await take(stretch, memory);
  rooms?.give(memory);
}

async function giveStretch(
  reading: Reading,
  { packId, offset, blobs }: Stretch,
  sealed: PackMemory,
): Promise<void> {
  const { wanted } = reading;
  const [first] = blobs;
  if (wanted === 'plain' && first && blobs.length === 1 && first.plainLength > LARGE_BLOB_BYTES) {
    await giveLarge(reading, packId, first, sealed);
    return;
  }
  const decoded = await reading.decode(decodeJob(packId, offset, blobs, sealed, wanted));
  let at = 0;
  for (const [i, blob] of blobs.entries()) {
    const bytes = Buffer.from(decoded.bytes, at, wantedLength(blob, wanted));
    at += bytes.length;
    const { plainLength } = blob;
    const compressed = blob.compressed && wanted === 'payload';
    // One after another: to begin with all of them at once would keep everybody else waiting.
    if (decoded.whole[i]) {
      await reading.onBlob({ id: asBuffer(blob.id), bytes, compressed, plainLength });
    } else await readAlone(reading, blob);
  }
  freeNow(decoded.bytes);
}

/** Right here: to hand it to another thread and back would take as much memory again. */
async function giveLarge(
  reading: Reading,
  packId: string,
  blob: PackedBlob,
  sealed: PackMemory,
): Promise<void> {
  let bytes: Buffer;
  try {
    const sealer = new Sealer(reading.repository.masterKey);
    bytes = openLargeBlob(sealer, blob, packId, new Uint8Array(sealed));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    await readAlone(reading, blob);
    return;
  }
  // What wasn't compressed lies where it was sealed.
  if (bytes.buffer !== sealed) freeNow(sealed);
  await passOn(reading, blob, bytes);
}

/** Each copy of one blob that didn't come with its stretch. */
export async function readAlone(reading: StretchReading, blob: PackedBlob): Promise<void> {
  let bytes: Buffer;
  try {
    bytes = await reading.repository.readBlob(blob.type, blob.id);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    await giveUp(reading, asBuffer(blob.id), error);
    return;
  }
  await passOn(reading, blob, bytes);
}

async function passOn(
  { onBlob }: StretchReading,
  { id, plainLength }: PackedBlob,
  bytes: Buffer,
): Promise<void> {
  await onBlob({ id: asBuffer(id), bytes, compressed: false, plainLength, isOwn: true });
}

async function giveUp(
  { options }: StretchReading,
  id: Buffer,
  error: HoldfastError,
): Promise<void> {
  if (!options.onDamaged) throw error;
  await options.onDamaged(id, error);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
