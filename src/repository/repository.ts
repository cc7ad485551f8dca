/** An open repository, as everything above the engine sees it. */

import type { MasterKey } from './crypto/master-key.ts';
import type { BlobIndex } from './index/blob-index.ts';
import type { BlobType } from './names.ts';
import type { PackedBlob } from './pack/header.ts';
import type { SealedFiles } from './sealed/sealed-files.ts';
import type { Snapshots } from './snapshots/snapshots.ts';
import type { Storage } from './storage/storage.ts';

export type RepositoryConfig = {
  /** 1 is only read; 2 is read and written. */
  version: number;
  /** 64 hex digits. */
  id: string;
  /** Rabin polynomial of restic's chunker, hex. */
  chunkerPolynomial: string;
};

/** A pack and what lies in it, as an index tells it. */
export type IndexedPack = { id: string; blobs: readonly PackedBlob[] };

export type LockKind = 'shared' | 'exclusive';

/** Held until released. When it could not be refreshed in time, `signal` is aborted: whoever works under it must stop. */
export interface RepositoryLock {
  readonly kind: LockKind;
  readonly signal: AbortSignal;
  /** May be called twice. */
  release(): Promise<void>;
}

export type LockOptions = {
  /** How long to try while others hold the repository; 0 (default) refuses at once. */
  waitMs?: number;
};

export type ReadBlobsOptions = {
  signal?: AbortSignal;
  /** Bytes of packs on the way at once, at most. Default 96 MiB. */
  maxBytesInFlight?: number;
  /** A blob that no copy gives back. Without this, the first one rejects the whole call. */
  onDamaged?: (id: Buffer, error: Error) => void | Promise<void>;
};

export interface Repository {
  readonly config: RepositoryConfig;
  /** For messages; free of secrets. */
  readonly location: string;
  /** With retries; the one that every part uses. */
  readonly storage: Storage;
  /** Id of the key file that the password opened. */
  readonly keyId: string;
  /** Plain bytes, for worker threads: `new Sealer(masterKey)` there. */
  readonly masterKey: MasterKey;
  readonly index: BlobIndex;
  readonly snapshots: Snapshots;
  readonly sealed: SealedFiles;
  /** Reads the index files that aren't loaded yet. Idempotent; list snapshots before, not after. */
  loadIndex(): Promise<void>;
  /** Stores one index file with these packs (at most about 50,000 blobs) and adds them to `index`. Resolves to its id. */
  saveIndex(packs: readonly IndexedPack[]): Promise<string>;
  /** Verified plain bytes. Damaged copies are passed over; the error names blob and pack. */
  readBlob(type: BlobType, id: string | Uint8Array): Promise<Buffer>;
  /**
   * Many blobs (ids of 32 bytes each, one after another; repeated ids are read once), grouped by pack with ranges joined, in no order. `onBlob` gets bytes that
   * are valid until its promise resolves; reading pauses while too many are unresolved.
   */
  readBlobs(
    type: BlobType,
    ids: Uint8Array,
    onBlob: (id: Buffer, bytes: Buffer) => void | Promise<void>,
    options?: ReadBlobsOptions,
  ): Promise<void>;
  lock(kind: LockKind, options?: LockOptions): Promise<RepositoryLock>;
  /** Ends workers and storage. Locks must be released before. */
  close(): Promise<void>;
}
