/** From sealed bytes of a pack to a verified blob. */
import { hash } from 'node:crypto';
import { HoldfastError, messageOf } from '#base';
import { decompress } from '../crypto/compression.ts';
import type { Sealer } from '../crypto/sealer.ts';
import { errors } from '../errors.ts';
import type { BlobIndex, BlobLocation } from '../index/blob-index.ts';
import { type BlobType, packName } from '../names.ts';
import type { PackedBlob } from '../pack/header.ts';
import type { Storage } from '../storage/storage.ts';

/** No writer makes data blobs above 8 MiB; trees of one huge directory may be long. */
export const MAX_BLOB_BYTES = 1024 * 1024 * 1024;

/** MAC, zstd bounded by the length that the index tells, SHA-256. Throws `repository/blob-damaged`. */
export function openBlob(
  sealer: Sealer,
  blob: PackedBlob,
  packId: string,
  sealed: Uint8Array,
): Buffer {
  const damaged = (why: string, cause?: unknown) =>
    errors.blobDamaged([blob.type, hex(blob.id), packId, why], { cause });
  if (blob.plainLength > MAX_BLOB_BYTES)
    throw errors.blobTooLarge([hex(blob.id), blob.plainLength]);
  let plain: Buffer;
  try {
    plain = sealer.open(sealed);
    if (blob.compressed) plain = decompress(plain, blob.plainLength);
  } catch (error) {
    throw damaged(messageOf(error), error);
  }
  if (plain.length !== blob.plainLength) {
    throw damaged(`it is ${plain.length} bytes long and not ${blob.plainLength}`);
  }
  if (!hash('sha256', plain, 'buffer').equals(blob.id)) throw damaged('its SHA-256 is another one');
  return plain;
}

/** Tries every copy; throws `repository/blob-missing`, or what was wrong with the last copy. */
export async function readBlob(
  storage: Storage,
  sealer: Sealer,
  index: BlobIndex,
  type: BlobType,
  id: Uint8Array,
): Promise<Buffer> {
  let last: HoldfastError = errors.blobMissing([type, hex(id)]);
  for (const location of index.lookupAll(type, id)) {
    try {
      return openBlob(sealer, location, location.packId, await readSealed(storage, location));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      last = isAboutPack(error)
        ? errors.blobDamaged([type, hex(id), location.packId, error.message], { cause: error })
        : error;
    }
  }
  throw last;
}

function readSealed(storage: Storage, { packId, offset, length }: BlobLocation): Promise<Buffer> {
  return storage.read(packName(packId), { offset, length });
}

/** The storage tells of a file; whoever reads a blob wants to know which blob it was. */
function isAboutPack(error: HoldfastError): boolean {
  return error.code === 'repository/not-in-storage' || error.code === 'repository/short-read';
}

export function hex(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('hex');
}
