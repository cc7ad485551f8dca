/** An open repository, as everything above the engine sees it. */

import type { BlobPlacing } from './blobs/place-blobs.ts';
import type { ReadBlob } from './blobs/read-blobs.ts';
import type { Rooms } from './blobs/rooms.ts';
import type { VerifyPackOptions } from './blobs/verify-stored-pack.ts';
import type { Cache } from './cache/cache.ts';
import type { SealedNotes } from './cache/sealed-notes.ts';
import type { Cutting } from './chunking/cutting.ts';
import type { RepositoryConfig } from './config.ts';
import type { MasterKey } from './crypto/master-key.ts';
import type { BlobIndex } from './index/blob-index.ts';
import type { IndexEntries } from './index/index-entries.ts';
import type { Keys } from './keys/keys.ts';
import type { LockKind } from './locks/lock-file.ts';
import type { LockOptions, Locks, RepositoryLock } from './locks/locks.ts';
import type { BlobType } from './names.ts';
import type { IndexedPack, PackedBlob } from './pack/header.ts';
import type { PackVerdict } from './pack/verify-pack.ts';
import type { PackParity } from './parity/pack-parity.ts';
import type { SealedFiles } from './sealed/sealed-files.ts';
import type { Snapshots } from './snapshots/snapshots.ts';
import type { Storage } from './storage/storage.ts';
import type { UnpackedFiles } from './unpacked-files.ts';
import type { Sealing } from './writer/sealing-pool.ts';

export type ReadBlobsOptions = {
  signal?: AbortSignal;
  /** Bytes of packs on the way at once, at most. Default 96 MiB. */
  maxBytesInFlight?: number;
  /** Memory for what is read, used again: for `placeBlobs` alone. */
  rooms?: Rooms;
  /** A blob that no copy gives back. Without this, the first one rejects the whole call. */
  onDamaged?: (id: Buffer, error: Error) => void | Promise<void>;
};

export interface Repository {
  readonly config: RepositoryConfig;
  /** For messages; free of secrets. */
  readonly location: string;
  /** With retries; the one that every part uses. */
  readonly storage: Storage;
  /** A folder on this machine for what can be had again; absent for storages nearby, and where it wasn't wanted. */
  readonly cache?: Cache | undefined;
  /** Notes on this machine, whatever the storage; absent where no cache was wanted. */
  readonly notes?: SealedNotes | undefined;
  /** Plain bytes, for worker threads: `new Sealer(masterKey)` there. */
  readonly masterKey: MasterKey;
  readonly index: BlobIndex;
  /**
   * Hex ids of the index files that `index` was made of. As long as these are among them, all blobs that it told of are
   * told of: who takes any away writes other files instead.
   */
  readonly indexFileIds: ReadonlySet<string>;
  /** Those of them that the last `loadIndex` read in the storage, and found whole; none where it failed. */
  readonly justReadIndexFileIds: ReadonlySet<string>;
  readonly snapshots: Snapshots;
  readonly sealed: SealedFiles;
  readonly keys: Keys;
  readonly locks: Locks;
  readonly files: UnpackedFiles;
  /** Error correction of packs; off unless it was switched on. */
  readonly parity: PackParity;
  /**
   * How files are cut where content decides: as restic does where it has stored snapshots of its own, so that both share
   * what they hold. Decided once for each open repository.
   */
  cuttingStyle(): Promise<Cutting['style']>;
  /** For `openWriter`. */
  readonly sealing: Sealing;
  /**
   * Reads the index files that aren't loaded yet; where somebody has pruned, all of them, into a new `index`. Call it
   * after taking a lock to write: blobs that were pruned mustn't be taken for present. Idempotent. List snapshots
   * before, not after: what a listed snapshot needs is then in an index that is loaded.
   */
  loadIndex(): Promise<void>;
  /** The same once for each lock, because nobody prunes while it is held. */
  loadIndexUnder(lock: RepositoryLock): Promise<void>;
  /**
   * Stores an index file with these packs (at most about 50,000 blobs) and adds them to `index`. Only for packs that
   * are durable. Resolves to its id.
   */
  saveIndex(packs: readonly IndexedPack[]): Promise<string>;
  /**
   * Verified plain bytes. Damaged copies are passed over, and what parity can bring back is mended on the way; the error
   * names blob and pack.
   */
  readBlob(type: BlobType, id: string | Uint8Array): Promise<Buffer>;
  /**
   * Many blobs: ids of 32 bytes each, one after another; repeated ones are read once. They are grouped by pack, with
   * neighbouring ranges joined, and come in no order, decoded in worker threads. The bytes hold until `onBlob` has
   * returned and its promise has settled (longer where they are its own, as those of the largest are); reading pauses
   * while too many promises are unresolved.
   */
  readBlobs(
    type: BlobType,
    ids: Uint8Array,
    onBlob: (id: Buffer, bytes: Buffer, isOwn?: boolean) => void | Promise<void>,
    options?: ReadBlobsOptions,
  ): Promise<void>;
  /** The same straight into files: the thread that decodes a blob writes it to where it belongs. */
  placeBlobs(ids: Uint8Array, placing: BlobPlacing, options?: ReadBlobsOptions): Promise<void>;
  /**
   * The same, verified all the same, but with the bytes as they lay under the seal: still compressed where they were. To
   * be packed elsewhere without being compressed again.
   */
  readPayloads(
    type: BlobType,
    ids: Uint8Array,
    onBlob: (blob: ReadBlob) => void | Promise<void>,
    options?: ReadBlobsOptions,
  ): Promise<void>;
  /** What one index file tells, opened in a worker thread where it is long. Throws `repository/file-damaged`. */
  readIndexFile(id: string): Promise<IndexEntries>;
  /**
   * Holds sealed blobs of one pack against their ids, in a worker thread: 1 for each that is whole. `sealed` begins at
   * `start` in the pack, and is left as it is.
   */
  verifySealed(
    packId: string,
    start: number,
    blobs: readonly PackedBlob[],
    sealed: Uint8Array,
  ): Promise<Uint8Array>;
  /**
   * Reads a whole pack, into one of the rooms where there are some, and holds it against its name, its header, its blobs
   * and the index, in a worker thread.
   */
  verifyPack(packId: string, options?: VerifyPackOptions): Promise<PackVerdict>;
  /** Starts the threads of the calls above, so that they are there when the first job comes. */
  startThreads(): void;
  /** After a prune: what is gone must not be found any more. The next `loadIndex` reads all anew. */
  dropIndex(): void;
  /** Throws `repository/locked` and `repository/lock-unreadable`. */
  lock(kind: LockKind, options?: LockOptions): Promise<RepositoryLock>;
  /** Ends workers and storage. Locks must be released before. */
  close(): Promise<void>;
}
