/** Who decodes what was read: the thread that asks where it is little, others where it is much. */
import type { MasterKey } from '../crypto/master-key.ts';
import type { Sealer } from '../crypto/sealer.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import type { IndexEntries } from '../index/index-entries.ts';
import { openIndexFile } from '../index/open-index-file.ts';
import { type BlobType, ID_BYTES } from '../names.ts';
import { BlobOpener } from './blob-opener.ts';
import { runDecodeJob } from './decode-job.ts';
import { DecodePool } from './decode-pool.ts';
import type { DecodeThreads } from './decode-threads.ts';
import { ownBuffer } from './own-buffer.ts';
import type { Place } from './place-blobs.ts';
import type { Decode } from './read-blobs.ts';
import { runPlacingJob } from './run-placing-job.ts';

/** Below this, starting threads takes longer than the work. */
const BYTES_WORTH_THREADS = 8 * 1024 * 1024;

/** Sealed bytes of all index files: to start threads takes longer than to read some 100,000 blobs here. */
const INDEX_WORTH_THREADS = 5 * 1024 * 1024;

/** `ids`: one after the other. */
type WantedBlobs = { index: BlobIndex; type: BlobType; ids: Uint8Array };

export class Decoding {
  /** For what is worth threads always. */
  readonly pool: DecodePool;
  readonly #masterKey: MasterKey;
  readonly #sealer: Sealer;
  #indexBytesHere = 0;
  #openerHere: BlobOpener | undefined;

  /** `threads`: some that may have started already. They are ended with it. */
  constructor(masterKey: MasterKey, sealer: Sealer, threads: DecodeThreads | undefined) {
    this.pool = new DecodePool(masterKey, threads);
    this.#masterKey = masterKey;
    this.#sealer = sealer;
  }

  decodeFor(wanted: WantedBlobs): Decode {
    if (isWorthThreads(wanted)) return (job) => this.pool.decode(job);
    const opener = this.#opener();
    return (job) => runDecodeJob(opener, job);
  }

  placeFor(wanted: WantedBlobs): Place {
    if (isWorthThreads(wanted)) return (job) => this.pool.place(job);
    const opener = this.#opener();
    return (job) => runPlacingJob(opener, job);
  }

  /** Throws what is wrong with the file; undefined where only who opens it again is told. */
  async openIndex(name: string, stored: Buffer): Promise<IndexEntries | undefined> {
    this.#indexBytesHere += stored.length;
    return this.#indexBytesHere < INDEX_WORTH_THREADS && !this.pool.isReady
      ? openIndexFile(this.#sealer, name, stored)
      : this.pool.parseIndex(name, ownBuffer(stored));
  }

  #opener(): BlobOpener {
    this.#openerHere ??= new BlobOpener(this.#masterKey);
    return this.#openerHere;
  }

  close(): Promise<void> {
    return this.pool.close();
  }
}

function isWorthThreads({ index, type, ids }: WantedBlobs): boolean {
  let plainBytes = 0;
  let largestBytes = 0;
  for (let at = 0; at < ids.length; at += ID_BYTES) {
    const bytes = index.lookup(type, ids, at)?.plainLength ?? 0;
    plainBytes += bytes;
    largestBytes = Math.max(largestBytes, bytes);
    // One blob takes as long in a thread as here: only what can be done beside it is gained.
    if (plainBytes - largestBytes >= BYTES_WORTH_THREADS) return true;
  }
  return false;
}
