import { availableParallelism } from 'node:os';
import type { Cutting } from '../chunking/cutting.ts';
import { errors } from '../errors.ts';
import type { LockOptions, RepositoryLock } from '../locks/locks.ts';
import type { Repository } from '../repository.ts';
import { createClaimMemory } from './claim-table.ts';
import { LargeTreeSealer } from './large-trees.ts';
import type { FinishedPack, JobResult, SessionSetup, UnfinishedPack } from './messages.ts';
import { giveBackPack } from './pack-memory.ts';
import { PackStore } from './pack-store.ts';
import { BodySaver } from './save-body.ts';
import { LiveFiles } from './save-live-file.ts';
import { SealingPool } from './sealing-pool.ts';
import { SlabMemory } from './slab.ts';
import { WorkQueue } from './work-queue.ts';
import type {
  Chunking,
  FailedFile,
  FileToSave,
  LiveFile,
  RepositoryWriter,
  SavedContent,
  SavedFile,
  SavedLiveFile,
  WriterStats,
} from './writer.ts';

export type WriterOptions = {
  /** Worker threads. Default: one for each core. */
  workers?: number;
  /** Packs are stored when they have grown to this. Default 16 MiB, restic's. */
  packSizeBytes?: number;
  lock?: LockOptions;
  /** A shared lock that the caller holds and goes on holding; without it the session takes and releases its own. */
  heldLock?: RepositoryLock;
  /** Cuts all files of a MiB and more every so many bytes, whatever they hold. Default: databases and images alone. */
  fixedChunkBytes?: number;
};

const PACK_SIZE_BYTES = 16 * 1024 * 1024;
/** Each is a pack in memory. */
const MAX_PACKS_IN_FLIGHT = 8;
/** From here on a file's chunks are spread over the workers; it would keep one of them busy long after the others. */
const LARGE_FILE_BYTES = 64 * 1024 * 1024;

/**
 * Begins a session of writing under a shared lock, which is held until `finish` or `abort` (a lock of the caller
 * stays). Throws `repository/locked` and what `loadIndex` throws. Whatever fails later ends the session: every promise
 * rejects with the first failure (`repository/storage-full`, `repository/writer-stopped`…), and the lock is released.
 */
export async function openWriter(
  repository: Repository,
  options: WriterOptions = {},
): Promise<RepositoryWriter> {
  if (repository.config.version < 2) {
    throw errors.olderFormat([repository.location, repository.config.version]);
  }
  const lock = options.heldLock
    ? borrowed(options.heldLock)
    : await repository.lock('shared', options.lock);
  try {
    await repository.loadIndexUnder(lock);
    const cutting: Cutting = {
      style: await repository.cuttingStyle(),
      ...(options.fixedChunkBytes !== undefined && { fixedBytes: options.fixedChunkBytes }),
    };
    return new SessionWriter(repository, lock, cutting, options);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** The session watches it and leaves its end to whoever holds it. */
function borrowed({ kind, signal }: RepositoryLock): RepositoryLock {
  return { kind, signal, release: async () => {} };
}

class SessionWriter implements RepositoryWriter {
  readonly #lock: RepositoryLock;
  readonly #packSizeBytes: number;
  readonly #packsInFlight = new Int32Array(new SharedArrayBuffer(4));
  readonly #slabs = new SlabMemory();
  readonly #queue = new WorkQueue((memory) => this.#slabs.giveBack(memory));
  readonly #packStore: PackStore;
  readonly #pool: SealingPool;
  readonly #bodies: BodySaver;
  readonly #liveFiles: LiveFiles;
  readonly #largeTrees: LargeTreeSealer;
  #state: 'open' | 'finishing' | 'finished' | 'failed' = 'open';
  /** Rejects with the first failure; resolves never. */
  readonly #failed = Promise.withResolvers<never>();
  #failure: unknown;
  #cleanup: Promise<void> = Promise.resolve();
  readonly #onLockLost = () => this.#fail(this.#lock.signal.reason);

  constructor(
    repository: Repository,
    lock: RepositoryLock,
    cutting: Cutting,
    options: WriterOptions,
  ) {
    const workers = Math.max(1, options.workers ?? availableParallelism());
    this.#lock = lock;
    this.#packSizeBytes = options.packSizeBytes ?? PACK_SIZE_BYTES;
    this.#packStore = new PackStore(repository, (error) => this.#fail(error));
    const setup: SessionSetup = {
      known: repository.index.share(),
      claims: createClaimMemory(),
      packsInFlight: this.#packsInFlight.buffer as SharedArrayBuffer,
      maxPacksInFlight: packsInFlight(repository.storage.concurrency),
      packSizeBytes: this.#packSizeBytes,
      cutting,
    };
    this.#pool = new SealingPool(repository.sealing, setup, workers, {
      nextJob: () => this.#queue.next(),
      onPack: (pack) => this.#storePack(pack),
      onFailure: (error) => this.#fail(error),
    });
    const wake = () => this.#pool.wake();
    const secret = repository.config.chunkerPolynomial;
    this.#bodies = new BodySaver({
      queue: this.#queue,
      memory: this.#slabs,
      wake,
      secret,
      cutting,
      maxSlabs: workers * 2 + 1,
    });
    this.#liveFiles = new LiveFiles({ queue: this.#queue, wake, maxParts: workers * 2 + 1 });
    this.#largeTrees = new LargeTreeSealer(repository, setup.claims);
    // Whoever waits for it is told; where nobody does, it isn't an unhandled rejection.
    this.#failed.promise.catch(() => {});
    lock.signal.addEventListener('abort', this.#onLockLost);
    if (lock.signal.aborted) this.#onLockLost();
  }

  async saveFile(
    path: Buffer,
    expectedSizeBytes: number,
    expectedMtimeMs = Number.NaN,
    onSaved?: (bytes: number) => void,
  ): Promise<SavedFile> {
    this.#requireOpen();
    if (expectedSizeBytes >= LARGE_FILE_BYTES) {
      return this.#bodies.saveLargeFile(path, expectedSizeBytes, expectedMtimeMs, onSaved);
    }
    const [saved] = await this.saveFiles([
      {
        path: path.toString('latin1'),
        sizeBytes: expectedSizeBytes,
        mtimeMs: expectedMtimeMs,
      },
    ]);
    if (!saved) throw new TypeError('a file was asked for, and nothing was said of it');
    if ('failure' in saved) throw saved.failure;
    return { ...saved, ids: Buffer.from(saved.ids) };
  }

  async saveFiles(files: readonly FileToSave[]): Promise<(SavedFile | FailedFile)[]> {
    this.#requireOpen();
    const saved = this.#queue.addFiles(files);
    this.#pool.wake();
    return saved;
  }

  async saveStream(bytes: AsyncIterable<Uint8Array>, chunking: Chunking): Promise<SavedContent> {
    this.#requireOpen();
    // A source that falls silent must not keep the failure from being told.
    return Promise.race([this.#bodies.saveStream(bytes, chunking), this.#failed.promise]);
  }

  async saveLiveFile(
    file: LiveFile,
    steps: Parameters<RepositoryWriter['saveLiveFile']>[1],
  ): Promise<SavedLiveFile | undefined> {
    this.#requireOpen();
    return Promise.race([this.#liveFiles.save(file, steps), this.#failed.promise]);
  }

  async saveTree(encoded: readonly Uint8Array[]): Promise<string> {
    this.#requireOpen();
    const id = this.#queue.addTree(encoded);
    this.#pool.wake();
    return id;
  }

  async saveLargeTree(parts: Iterable<Uint8Array>): Promise<string> {
    this.#requireOpen();
    const { id, pack } = await Promise.race([this.#largeTrees.seal(parts), this.#failed.promise]);
    if (pack) this.#packStore.store(pack);
    return id;
  }

  async finish(): Promise<WriterStats> {
    this.#requireOpen();
    this.#state = 'finishing';
    try {
      await Promise.race([this.#storeEverything(), this.#failed.promise]);
      this.#state = 'finished';
    } catch (error) {
      this.#fail(error);
      await this.#cleanup;
      throw this.#failure;
    }
    await this.#end();
    return this.#packStore.stats;
  }

  async abort(): Promise<void> {
    this.#fail(errors.writerEnded([]));
    await this.#cleanup;
  }

  async #storeEverything(): Promise<void> {
    await this.#pool.whenIdle();
    const drained = await this.#pool.drain();
    this.#packStore.storeUnfinished(drained.flatMap(unfinishedPacks), this.#packSizeBytes);
    await this.#packStore.finish();
  }

  #storePack({ id, parts, header }: FinishedPack): void {
    this.#packStore.store({ id, parts, header }, () => {
      giveBackPack(parts);
      Atomics.sub(this.#packsInFlight, 0, 1);
      Atomics.notify(this.#packsInFlight, 0);
    });
  }

  #requireOpen(): void {
    if (this.#state === 'failed') throw this.#failure;
    if (this.#state !== 'open') throw errors.writerEnded([]);
  }

  /** The first failure ends the session; what comes after it is its consequence. */
  #fail(error: unknown): void {
    if (this.#state === 'failed' || this.#state === 'finished') return;
    this.#state = 'failed';
    this.#failure = error;
    this.#queue.failAll(error);
    this.#failed.reject(error);
    // The failure is what is told; a lock that can't be removed goes stale by itself.
    this.#cleanup = this.#end().catch(() => {});
  }

  async #end(): Promise<void> {
    this.#lock.signal.removeEventListener('abort', this.#onLockLost);
    await this.#pool.close(this.#state === 'finished');
    await this.#packStore.settled();
    await this.#lock.release();
  }
}

/** Half of what the storage takes at once: as long as one is always on its way, more of them are only memory. */
function packsInFlight(concurrency: number): number {
  return Math.min(Math.max(Math.floor(concurrency / 2), 2), MAX_PACKS_IN_FLIGHT);
}

function unfinishedPacks(result: JobResult): UnfinishedPack[] {
  return result.kind === 'drain' ? result.packs : [];
}
