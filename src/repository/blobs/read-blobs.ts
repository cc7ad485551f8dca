/** Many blobs at once: a range of a pack per request, decoded in worker threads, with bounded memory. */

import { freeNow, HoldfastError } from '#base';
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
import { hex } from './open-blob.ts';
import { type Stretch, stretches, wantedEntries } from './stretches.ts';

const DEFAULT_BYTES_IN_FLIGHT = 96 * 1024 * 1024;

export type Decode = (job: DecodeJob) => DecodedJob | Promise<DecodedJob>;

/** The id holds longer than the bytes. `compressed`: what the bytes are, which is never so for plain ones. */
export type ReadBlob = { id: Buffer; bytes: Buffer; compressed: boolean; plainLength: number };

type Reading = {
  repository: Repository;
  type: BlobType;
  wanted: WantedBytes;
  decode: Decode;
  onBlob: (blob: ReadBlob) => void | Promise<void>;
  options: ReadBlobsOptions;
};

export async function readBlobs(reading: Reading, ids: Uint8Array): Promise<void> {
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
    if (failure) break;
    options.signal?.throwIfAborted();
    bytes += weight;
    const one: Promise<void> = readStretch(reading, stretch)
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

async function readStretch(reading: Reading, stretch: Stretch): Promise<void> {
  const { repository, options } = reading;
  const { packId, offset, length, blobs } = stretch;
  let sealed: Buffer;
  try {
    const hint = { blobs: reading.type };
    sealed = await repository.storage.read(packName(packId), { offset, length }, hint);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    await Promise.all(blobs.map((blob) => readAlone(reading, blob)));
    return;
  }
  options.signal?.throwIfAborted();
  const { wanted } = reading;
  const job = decodeJob(packId, offset, blobs, ownBuffer(sealed), wanted);
  const decoded = await reading.decode(job);
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

/** Each copy of one blob that didn't come with its stretch. */
async function readAlone(reading: Reading, blob: PackedBlob): Promise<void> {
  let bytes: Buffer;
  try {
    bytes = await reading.repository.readBlob(blob.type, blob.id);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    await giveUp(reading, asBuffer(blob.id), error);
    return;
  }
  const { plainLength } = blob;
  await reading.onBlob({ id: asBuffer(blob.id), bytes, compressed: false, plainLength });
}

async function giveUp({ options }: Reading, id: Buffer, error: HoldfastError): Promise<void> {
  if (!options.onDamaged) throw error;
  await options.onDamaged(id, error);
}

/** The memory can be handed to another thread only where nothing else lies in it. */
export function ownBuffer(bytes: Buffer): ArrayBuffer {
  const whole = bytes.byteOffset === 0 && bytes.buffer.byteLength === bytes.byteLength;
  return whole && bytes.buffer instanceof ArrayBuffer ? bytes.buffer : new Uint8Array(bytes).buffer;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
