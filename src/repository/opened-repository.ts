/** The parts of an open repository, put together. */
import { isHoldfastError, systemClock } from '#base';

import { decodeJob } from './blobs/decode-job.ts';
import type { DecodePool } from './blobs/decode-pool.ts';
import { Decoding } from './blobs/decoding.ts';
import { openBlob } from './blobs/open-blob.ts';
import { type BlobPlacing, placeBlobs } from './blobs/place-blobs.ts';
import { readBlob } from './blobs/read-blob.ts';
import { type ReadBlob, readBlobs } from './blobs/read-blobs.ts';
import { type VerifyPackOptions, verifyStoredPack } from './blobs/verify-stored-pack.ts';
import type { Cache } from './cache/cache.ts';
import type { SealedNotes } from './cache/sealed-notes.ts';
import { type Cutting, styleOfRepository } from './chunking/cutting.ts';
import type { RepositoryConfig } from './config.ts';
import type { MasterKey } from './crypto/master-key.ts';
import type { Sealer } from './crypto/sealer.ts';
import type { BlobIndex } from './index/blob-index.ts';
import type { IndexEntries } from './index/index-entries.ts';
import { LoadedIndex } from './index/load-index.ts';
import { TableKeeper } from './index/table-keeper.ts';
import { Keys } from './keys/keys.ts';
import type { ScryptParameters } from './keys/scrypt.ts';
import { LingeringLocks } from './locks/lingering-locks.ts';
import type { LockKind } from './locks/lock-file.ts';
import { type LockOptions, Locks, type RepositoryLock } from './locks/locks.ts';
import type { BlobType } from './names.ts';
import type { IndexedPack, PackedBlob } from './pack/header.ts';
import type { PackVerdict } from './pack/verify-pack.ts';
import { PackParity } from './parity/pack-parity.ts';
import type { ReadBlobsOptions, Repository } from './repository.ts';
import { OwnFormat } from './sealed/own-format.ts';
import { SealedFiles } from './sealed/sealed-files.ts';
import { Snapshots } from './snapshots/snapshots.ts';
import type { Storage } from './storage/storage.ts';
import type { EarlyThreads } from './unlock.ts';
import { type UnpackedAside, UnpackedFiles } from './unpacked-files.ts';
import { SealingHere } from './writer/sealing-here.ts';
import type { Sealing } from './writer/sealing-pool.ts';
import { SealingThreads } from './writer/sealing-threads.ts';

const RELOAD_PAUSE_MS = 5_000;

export type RepositoryParts = {
  storage: Storage;
  cache: Cache | undefined;
  config: RepositoryConfig;
  masterKey: MasterKey;
  sealer: Sealer;
  keyId: string;
  scrypt: ScryptParameters | undefined;
  /** On this machine: a large index is kept there between sessions. */
  tableFolder?: string;
  notes?: SealedNotes;
  threads?: EarlyThreads | undefined;
};

export class OpenedRepository implements Repository {
  readonly config: RepositoryConfig;
  readonly location: string;
  readonly storage: Storage;
  readonly cache: Cache | undefined;
  readonly notes: SealedNotes | undefined;
  readonly masterKey: MasterKey;
  readonly files: UnpackedFiles;
  readonly snapshots: Snapshots;
  readonly sealed: SealedFiles;
  readonly keys: Keys;
  readonly parity: PackParity;
  readonly locks: Locks;
  readonly sealing: Sealing;
  readonly #sealer: Sealer;
  #cuttingStyle: Promise<Cutting['style']> | undefined;
  readonly #ownFormat: OwnFormat;
  readonly #loadedIndex: LoadedIndex;
  readonly #tableKeeper: TableKeeper | undefined;
  readonly #decoding: Decoding;
  readonly #lingering: LingeringLocks;
  /** Signals of locks under which the index was loaded. */
  #loadedUnder = new WeakSet<AbortSignal>();
  #reloadedMs = Number.NEGATIVE_INFINITY;
  #reloading: Promise<void> | undefined;

  constructor(parts: RepositoryParts) {
    const { storage, cache, config, masterKey, sealer, keyId, scrypt, tableFolder } = parts;
    this.cache = cache;
    this.notes = parts.notes;
    this.config = config;
    this.location = storage.location;
    this.storage = storage;
    this.masterKey = masterKey;
    this.#sealer = sealer;
    this.#ownFormat = new OwnFormat(storage, sealer);
    const prepareOwn = () => this.#ownFormat.prepareWrite();
    this.files = new UnpackedFiles(storage, sealer, config.version, {
      prepareCopies: prepareOwn,
      openMany: openManyOf(storage, (files) => this.#decoding.pool.openFiles(files)),
    });
    this.snapshots = new Snapshots(this.files);
    this.sealed = new SealedFiles(storage, sealer, prepareOwn, (name, stored) =>
      this.#decoding.pool.openSealed(name, stored),
    );
    this.keys = new Keys(storage, masterKey, keyId, scrypt, prepareOwn);
    const isSeenAtOnce = async () => (await storage.isSeenAtOnce?.()) === true;
    this.locks = new Locks(this.files, storage.location, isSeenAtOnce);
    this.#lingering = new LingeringLocks((options) => this.locks.take('shared', options));
    this.#decoding = new Decoding(masterKey, sealer, parts.threads?.decode);
    this.parity = new PackParity(storage, this.sealed);
    if (tableFolder !== undefined) this.#tableKeeper = new TableKeeper(tableFolder, masterKey);
    this.#loadedIndex = new LoadedIndex(
      this.files,
      (name, stored) => this.#decoding.openIndex(name, stored),
      this.#tableKeeper,
    );
    const secrets = { masterKey, chunkerSecret: config.chunkerPolynomial };
    const threads = parts.threads?.sealing ?? new SealingThreads();
    threads.unlock(secrets);
    this.sealing = { threads, here: new SealingHere(secrets) };
  }

  get index(): BlobIndex {
    return this.#loadedIndex.index;
  }

  get indexFileIds(): ReadonlySet<string> {
    return this.#loadedIndex.loadedIds;
  }

  get justReadIndexFileIds(): ReadonlySet<string> {
    return this.#loadedIndex.justReadIds;
  }

  checkOwnFormat(): Promise<void> {
    return this.#ownFormat.check();
  }

  loadIndex(): Promise<void> {
    return this.#loadedIndex.load();
  }

  async loadIndexUnder({ signal }: RepositoryLock): Promise<void> {
    if (this.#loadedUnder.has(signal)) return;
    // Its pass begins now: what was pruned before the lock was taken is seen.
    await this.loadIndex();
    this.#loadedUnder.add(signal);
  }

  saveIndex(packs: readonly IndexedPack[]): Promise<string> {
    return this.#loadedIndex.save(packs);
  }

  async readBlob(type: BlobType, id: string | Uint8Array): Promise<Buffer> {
    const idBytes = typeof id === 'string' ? Buffer.from(id, 'hex') : id;
    const before = this.index;
    const read = () => readBlob(this.storage, this.#sealer, this.index, type, idBytes);
    try {
      return await read();
    } catch (error) {
      if (!isHoldfastError(error, 'repository/blob-damaged')) throw error;
      if (isPackGone(error) && (await this.#isReloaded(before))) return await read();
      const mended = await this.#readMended(type, idBytes);
      if (!mended) throw error;
      return mended;
    }
  }

  cuttingStyle(): Promise<Cutting['style']> {
    this.#cuttingStyle ??= styleOfRepository(this);
    return this.#cuttingStyle;
  }

  readBlobs(
    type: BlobType,
    ids: Uint8Array,
    onBlob: (id: Buffer, bytes: Buffer, isOwn?: boolean) => void | Promise<void>,
    options: ReadBlobsOptions = {},
  ): Promise<void> {
    const decode = this.#decoding.decodeFor({ index: this.index, type, ids });
    const give = ({ id, bytes, isOwn }: ReadBlob) => onBlob(id, bytes, isOwn === true);
    return readBlobs(
      { repository: this, type, wanted: 'plain', decode, onBlob: give, options },
      ids,
    );
  }

  placeBlobs(ids: Uint8Array, placing: BlobPlacing, options: ReadBlobsOptions = {}): Promise<void> {
    const place = this.#decoding.placeFor({ index: this.index, type: 'data', ids });
    return placeBlobs(this, place, ids, placing, options);
  }

  readPayloads(
    type: BlobType,
    ids: Uint8Array,
    onBlob: (blob: ReadBlob) => void | Promise<void>,
    options: ReadBlobsOptions = {},
  ): Promise<void> {
    const decode = this.#decoding.decodeFor({ index: this.index, type, ids });
    return readBlobs({ repository: this, type, wanted: 'payload', decode, onBlob, options }, ids);
  }

  readIndexFile(id: string): Promise<IndexEntries> {
    return this.#loadedIndex.readFile(id);
  }

  async verifySealed(
    packId: string,
    start: number,
    blobs: readonly PackedBlob[],
    sealed: Uint8Array,
  ): Promise<Uint8Array> {
    // The bytes go over to the thread: it gets some of its own.
    const job = decodeJob(packId, start, blobs, new Uint8Array(sealed).buffer, 'payload');
    return (await this.#decoding.pool.decode(job)).whole;
  }

  verifyPack(packId: string, options?: VerifyPackOptions): Promise<PackVerdict> {
    return verifyStoredPack(this, this.#decoding.pool, packId, options);
  }

  startThreads(): void {
    this.#decoding.pool.start();
  }

  dropIndex(): void {
    this.#loadedIndex.drop();
    this.#loadedUnder = new WeakSet();
  }

  lock(kind: LockKind, options: LockOptions = {}): Promise<RepositoryLock> {
    if (kind === 'exclusive') return this.#lingering.quietly(() => this.locks.take(kind, options));
    return options.lingers ? this.#lingering.share(options) : this.locks.take(kind, options);
  }

  /** From a pack that parity brings back; undefined where none does. */
  async #readMended(type: BlobType, id: Uint8Array): Promise<Buffer | undefined> {
    for (const location of this.index.lookupAll(type, id)) {
      const { packId, offset, length } = location;
      const mend = await this.parity.mend(packId, 'read');
      if (mend.outcome !== 'mended' && mend.outcome !== 'whole') continue;
      const sealed = mend.bytes.subarray(offset, offset + length);
      return openBlob(this.#sealer, location, packId, sealed);
    }
    return undefined;
  }

  /**
   * Somebody else may have pruned. True where the index was looked at again since this one was asked, by whoever met
   * it first; not too often, for a pack may be lost.
   */
  async #isReloaded(asked: BlobIndex): Promise<boolean> {
    if (this.index !== asked) return true;
    const nowMs = systemClock.monotonicMs();
    if (nowMs - this.#reloadedMs >= RELOAD_PAUSE_MS) {
      this.#reloadedMs = nowMs;
      this.#reloading = this.loadIndex();
    }
    await this.#reloading;
    return this.#reloading !== undefined;
  }

  async close(): Promise<void> {
    await this.#lingering.dropUnused();
    await this.#tableKeeper?.settled();
    await this.sealing.threads.close();
    await this.#decoding.close();
    await this.parity.close();
    await this.storage.close();
  }
}

/** Undefined where the files don't lie on this machine. */
function openManyOf(
  storage: Storage,
  openFiles: DecodePool['openFiles'],
): UnpackedAside['openMany'] {
  if (!storage.pathOf) return undefined;
  const pathOf = storage.pathOf.bind(storage);
  return (files) => openFiles(files.map((file) => ({ ...file, path: pathOf(file.name) })));
}

function isPackGone(error: unknown): boolean {
  return (
    isHoldfastError(error, 'repository/blob-damaged') &&
    isHoldfastError(error.cause, 'repository/not-in-storage')
  );
}
