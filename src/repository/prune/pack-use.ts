/** How much of each pack is needed: sums over entry numbers, so that ten million blobs make no objects. */
import { SEAL_OVERHEAD_BYTES } from '../crypto/sealer.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import { type BlobType, idOfName } from '../names.ts';
import type { EntrySet } from '../reachable-blobs.ts';
import type { Storage } from '../storage/storage.ts';

const LENGTH_BYTES = 4;
/** Of a pack's header, for a compressed blob and for one that isn't. */
const COMPRESSED_ENTRY_BYTES = 41;
const PLAIN_ENTRY_BYTES = 37;

export type PackUse = {
  usedBlobs: number;
  usedBytes: number;
  unusedBytes: number;
  /** What the pack takes, to the byte, if it holds what the index tells. */
  sizeBytes: number;
  type: BlobType;
};

/** `used` holds first entries: of several copies of a blob, that one is needed. */
export function useOfPack(index: BlobIndex, used: EntrySet, packNumber: number): PackUse {
  const use: PackUse = {
    usedBlobs: 0,
    usedBytes: 0,
    unusedBytes: 0,
    sizeBytes: SEAL_OVERHEAD_BYTES + LENGTH_BYTES,
    type: 'data',
  };
  for (const { first, count } of index.runsOf(packNumber)) {
    for (let entry = first; entry < first + count; entry += 1) {
      const length = index.lengthOf(entry);
      use.sizeBytes += length;
      use.sizeBytes += index.isCompressed(entry) ? COMPRESSED_ENTRY_BYTES : PLAIN_ENTRY_BYTES;
      if (index.isTree(entry)) use.type = 'tree';
      if (used.has(entry)) {
        use.usedBlobs += 1;
        use.usedBytes += length;
      } else use.unusedBytes += length;
    }
  }
  return use;
}

/** What lies below `data/`: sizes by pack number, and what no index knows. */
export type PacksInStorage = {
  /** 0 where the pack isn't there. */
  sizes: Float64Array;
  unindexed: { id: string; sizeBytes: number }[];
};

export async function packsInStorage(storage: Storage, index: BlobIndex): Promise<PacksInStorage> {
  const found: PacksInStorage = { sizes: new Float64Array(index.packCount), unindexed: [] };
  for await (const { name, sizeBytes } of storage.list('data/')) {
    const id = idOfName(name);
    if (id === undefined) continue;
    const number = index.packNumber(id);
    if (number < 0) found.unindexed.push({ id, sizeBytes });
    else if (number < found.sizes.length) found.sizes[number] = sizeBytes;
  }
  return found;
}
