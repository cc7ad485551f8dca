/**
 * Blobs that were read lately, plain. Who asks for the same one at the same time shares one reading, and what is asked
 * for in one turn of the event loop is read together, so that neighbours in a pack come by one request.
 */
import { sleepMs, systemClock } from '#base';
import { ID_BYTES, type Repository } from '#repository';

type Reading = {
  bytes: Promise<Buffer>;
  done: (bytes: Buffer) => void;
  fail: (error: Error) => void;
  /** It failed though the repository was there: that may have come back only after it. */
  isTriedAgain?: boolean;
};

/** As long as the repository can't be reached. */
type Away = { sinceMs: number; error: Error; isBack: Promise<true> };

export type BlobCacheOptions = {
  /** Plain bytes that are kept. What is being read comes on top. */
  maxBytes: number;
  /** Whether the repository as a whole can't be reached: then who asks waits. By default that isn't looked at. */
  isAway?: () => Promise<boolean>;
  /** How long after it went, before what is asked for counts as lost. */
  patienceMs?: number;
  /** How often it is looked for; whoever asks waits for two looks at the least. */
  lookEveryMs?: number;
};

/** As long as a storage of the network may take to come back by itself; then programs see an I/O error. */
export const REPOSITORY_PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 1_000;

export class BlobCache {
  readonly #repository: Pick<Repository, 'readBlobs'>;
  readonly #maxBytes: number;
  /** In order of use, the one used last at the end. Keys are ids as latin1. */
  readonly #kept = new Map<string, Buffer>();
  readonly #readings = new Map<string, Reading>();
  #keptBytes = 0;
  #wanted: string[] = [];
  #away: Away | undefined;
  #looking: Promise<boolean> | undefined;

  readonly #isAway: () => Promise<boolean>;
  readonly #patienceMs: number;
  readonly #lookEveryMs: number;

  constructor(repository: Pick<Repository, 'readBlobs'>, options: BlobCacheOptions) {
    const { maxBytes, isAway, patienceMs, lookEveryMs } = options;
    this.#repository = repository;
    this.#maxBytes = maxBytes;
    this.#isAway = isAway ?? (async () => false);
    this.#patienceMs = patienceMs ?? REPOSITORY_PATIENCE_MS;
    this.#lookEveryMs = lookEveryMs ?? LOOK_EVERY_MS;
  }

  /** Verified bytes, which must not be changed. Rejects with what was wrong with the blob. */
  get(id: Uint8Array): Promise<Buffer> | Buffer {
    const key = Buffer.from(id.buffer, id.byteOffset, ID_BYTES).toString('latin1');
    const kept = this.#kept.get(key);
    if (kept) {
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      return kept;
    }
    return this.#reading(key).bytes;
  }

  /** Reads it in the background, where it isn't there yet. What goes wrong is told to who asks for it. */
  prefetch(id: Uint8Array): void {
    const bytes = this.get(id);
    if (bytes instanceof Promise) bytes.catch(ignore);
  }

  #reading(key: string): Reading {
    const underWay = this.#readings.get(key);
    if (underWay) return underWay;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const reading = { bytes: promise, done: resolve, fail: reject };
    this.#readings.set(key, reading);
    // A storage of the network tries for half a minute before it says so: nobody need try what is known to fail.
    if (this.#away) void this.#waitForReturn(key, this.#away);
    else this.#want(key);
    return reading;
  }

  #want(key: string): void {
    this.#wanted.push(key);
    if (this.#wanted.length === 1) setImmediate(() => this.#readWanted());
  }

  #readWanted(): void {
    const keys = this.#wanted;
    this.#wanted = [];
    const ids = Buffer.allocUnsafe(keys.length * ID_BYTES);
    for (const [index, key] of keys.entries()) ids.write(key, index * ID_BYTES, 'latin1');
    const take = (id: Buffer, bytes: Buffer) => this.#arrived(id.toString('latin1'), bytes);
    const lose = (id: Buffer, error: Error) => void this.#lost(id.toString('latin1'), error);
    this.#repository.readBlobs('data', ids, take, { onDamaged: lose }).catch((error: Error) => {
      for (const key of keys) void this.#lost(key, error);
    });
  }

  #arrived(key: string, bytes: Buffer): void {
    // The bytes are lent for this call alone.
    const own = Buffer.from(bytes);
    this.#kept.set(key, own);
    this.#keptBytes += own.length;
    for (const [oldest, { length }] of this.#kept) {
      if (this.#keptBytes <= this.#maxBytes || oldest === key) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= length;
    }
    this.#readings.get(key)?.done(own);
    this.#readings.delete(key);
  }

  /** A blob may be lost alone; where all of the repository is away, it is tried again when that is back. */
  async #lost(key: string, error: Error): Promise<void> {
    const reading = this.#readings.get(key);
    if (!reading) return;
    const away = this.#away ?? (await this.#lookWhether(error));
    if (away) {
      reading.isTriedAgain = false;
      await this.#waitForReturn(key, away);
    } else if (reading.isTriedAgain) {
      this.#fail(key, error);
    } else {
      reading.isTriedAgain = true;
      this.#want(key);
    }
  }

  /** Undefined where it isn't away. */
  async #lookWhether(error: Error): Promise<Away | undefined> {
    const sinceMs = systemClock.monotonicMs();
    this.#looking ??= this.#isAway().finally(() => {
      this.#looking = undefined;
    });
    if (!(await this.#looking)) return undefined;
    this.#away ??= { sinceMs, error, isBack: this.#untilBack() };
    return this.#away;
  }

  async #untilBack(): Promise<true> {
    do await aWhile(this.#lookEveryMs);
    while (await this.#isAway());
    this.#away = undefined;
    return true;
  }

  /** Patience counts from when it went: who asks later doesn't wait all of it again. */
  async #waitForReturn(key: string, away: Away): Promise<void> {
    const leftMs = away.sinceMs + this.#patienceMs - systemClock.monotonicMs();
    const enough = new AbortController();
    const patience = sleepMs(Math.max(leftMs, 2 * this.#lookEveryMs), enough.signal);
    const isBack = await Promise.race([
      away.isBack,
      patience.then(
        () => false,
        () => true,
      ),
    ]);
    enough.abort();
    if (isBack) this.#want(key);
    else this.#fail(key, away.error);
  }

  #fail(key: string, error: Error): void {
    this.#readings.get(key)?.fail(error);
    this.#readings.delete(key);
  }
}

/** Keeps no process alive. */
function aWhile(durationMs: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, durationMs).unref());
}

function ignore(): void {
  // Whoever needs the blob asks again and is told.
}
