/** One blob, from whichever copy of it is whole. */
import { HoldfastError } from '#base';
import type { Sealer } from '../crypto/sealer.ts';
import { errors } from '../errors.ts';
import type { BlobIndex, BlobLocation } from '../index/blob-index.ts';
import { type BlobType, packName } from '../names.ts';
import type { Storage } from '../storage/storage.ts';
import { hex, LARGE_BLOB_BYTES, openBlob, openLargeBlob } from './open-blob.ts';

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
      const sealed = await readSealed(storage, type, location);
      const open = location.plainLength > LARGE_BLOB_BYTES ? openLargeBlob : openBlob;
      return open(sealer, location, location.packId, sealed);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      last = isAboutPack(error)
        ? errors.blobDamaged([type, hex(id), location.packId, error.message], { cause: error })
        : error;
    }
  }
  throw last;
}

function readSealed(
  storage: Storage,
  type: BlobType,
  { packId, offset, length }: BlobLocation,
): Promise<Buffer> {
  return storage.read(packName(packId), { offset, length }, { blobs: type });
}

/** The storage tells of a file; whoever reads a blob wants to know which blob it was. */
function isAboutPack(error: HoldfastError): boolean {
  return error.code === 'repository/not-in-storage' || error.code === 'repository/short-read';
}
