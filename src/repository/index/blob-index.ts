/** The table of all blobs: which pack, where, how long. Compact and shareable with worker threads. */
import type { BlobType } from '../names.ts';
import type { PackedBlob } from '../pack/header.ts';

export type BlobLocation = PackedBlob & { packId: string };

/** What a worker thread needs to ask `has`: structured-cloneable, nothing is copied. */
export type SharedBlobTable = {
  slots: SharedArrayBuffer;
  segments: readonly SharedArrayBuffer[];
};

export interface BlobIndex {
  /** Blobs (duplicates counted) and packs known. */
  readonly blobCount: number;
  readonly packCount: number;
  /** `at`: where in `ids` the 32 bytes begin, so that lists need no slicing. */
  has(type: BlobType, ids: Uint8Array, at?: number): boolean;
  lookup(type: BlobType, ids: Uint8Array, at?: number): BlobLocation | undefined;
  /** All copies, where a blob lies in several packs. */
  lookupAll(type: BlobType, ids: Uint8Array, at?: number): BlobLocation[];
  hasPack(packId: string): boolean;
  packIds(): Iterable<string>;
  /** Each pack with its blobs, in the order they lie. */
  packs(): Iterable<{ id: string; blobs: PackedBlob[] }>;
  /** Adding a pack that is known changes nothing. */
  addPack(packId: string, blobs: readonly PackedBlob[]): void;
  /** For worker threads: `attachBlobTable(shared).has(type, ids, at)` there. Blobs added later may not be seen. */
  share(): SharedBlobTable;
}
