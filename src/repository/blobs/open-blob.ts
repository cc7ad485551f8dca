/** From sealed bytes of a pack to a verified blob. */
import { hash } from 'node:crypto';
import { messageOf } from '#base';
import { decompress } from '../crypto/compression.ts';
import { freeLarge, type Sealer } from '../crypto/sealer.ts';
import { Decompressor } from '../crypto/zstd-context.ts';
import { errors } from '../errors.ts';
import type { PackedBlob } from '../pack/header.ts';

/** No writer makes data blobs above 8 MiB; trees of one huge directory may be long. */
export const MAX_BLOB_BYTES = 1024 * 1024 * 1024;

/** What lay under the seal (still compressed where the blob is), and the plain bytes. */
export type OpenedBlob = { payload: Buffer; plain: Buffer };

/**
 * MAC, zstd bounded by the length that the index tells, SHA-256. Throws `repository/blob-damaged`. With a decompressor,
 * which is faster, the bytes hold until its next use.
 */
export function openBlob(
  sealer: Sealer,
  blob: PackedBlob,
  packId: string,
  sealed: Uint8Array,
  decompressor?: Decompressor,
): Buffer {
  const { payload, plain } = openPacked(sealer, blob, packId, sealed, decompressor);
  if (!decompressor && payload !== plain) freeLarge(payload);
  return plain;
}

/** From here on a blob's bytes shouldn't be in memory more than once. */
export const LARGE_BLOB_BYTES = 32 * 1024 * 1024;

/** The same in the least memory: what is sealed is given up for it. The plain bytes have memory of their own. */
export function openLargeBlob(
  sealer: Sealer,
  blob: PackedBlob,
  packId: string,
  sealed: Uint8Array,
): Buffer {
  const openForNow = (bytes: Uint8Array) => sealer.openInPlace(bytes);
  const inPlace = { open: openForNow, openForNow };
  return openPacked(inPlace, blob, packId, sealed, new Decompressor()).plain;
}

/**
 * The same, with what lay under the seal: to be packed again without being compressed again. With a decompressor both
 * hold until the next use.
 */
export function openPacked(
  sealer: Pick<Sealer, 'open' | 'openForNow'>,
  blob: PackedBlob,
  packId: string,
  sealed: Uint8Array,
  decompressor?: Decompressor,
): OpenedBlob {
  const unseal = () => (decompressor ? sealer.openForNow(sealed) : sealer.open(sealed));
  return openPayload(unseal, blob, packId, decompressor);
}

/** The same; `unseal` gives what lies under the seal, or throws why not. */
export function openPayload(
  unseal: () => Buffer,
  blob: PackedBlob,
  packId: string,
  decompressor?: Decompressor,
): OpenedBlob {
  const damaged = (why: string, cause?: unknown) =>
    errors.blobDamaged([blob.type, hex(blob.id), packId, why], { cause });
  if (blob.plainLength > MAX_BLOB_BYTES)
    throw errors.blobTooLarge([hex(blob.id), blob.plainLength]);
  let payload: Buffer;
  let plain: Buffer;
  try {
    payload = unseal();
    plain = payload;
    if (blob.compressed) {
      plain = decompressor
        ? decompressor.decompress(payload, blob.plainLength)
        : decompress(payload, blob.plainLength);
    }
  } catch (error) {
    throw damaged(messageOf(error), error);
  }
  if (plain.length !== blob.plainLength) {
    throw damaged(`it is ${plain.length} bytes long and not ${blob.plainLength}`);
  }
  if (!isIdOf(plain, blob.id)) throw damaged('its SHA-256 is another one');
  return { payload, plain };
}

function isIdOf(plain: Uint8Array, id: Uint8Array): boolean {
  // A character for each byte: strings are had for less than buffers.
  const found = hash('sha256', plain, 'binary');
  for (let at = 0; at < found.length; at += 1) if (found.charCodeAt(at) !== id[at]) return false;
  return found.length === id.length;
}

export function hex(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('hex');
}
