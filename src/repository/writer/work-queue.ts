import type { Compression } from '../crypto/compression.ts';
import { ID_BYTES } from '../names.ts';
import { type FileBatch, fileListOf, settleFiles } from './file-batches.ts';
import {
  type FileRange,
  type JobResult,
  type LivePart,
  type LivePartResult,
  systemError,
} from './messages.ts';
import type { PooledJob } from './sealing-pool.ts';
import type { FailedFile, FileToSave, SavedContent, SavedFile } from './writer.ts';

/** A batch is worth some milliseconds of a worker: talking costs little against it, and the ends come out even. */
const BATCH_BYTES = 4 * 1024 * 1024;
const BATCH_ITEMS = 128;
/** What opening, reading and closing a file costs, and what a blob does beside its bytes. */
const FILE_WEIGHT_BYTES = 16 * 1024;
const BLOB_WEIGHT_BYTES = 4 * 1024;

type Settled<T> = { resolve: (value: T) => void; reject: (error: unknown) => void };
type WaitingFiles = FileBatch & Settled<(SavedFile | FailedFile)[]>;
type WaitingTree = { parts: readonly Uint8Array[]; sizeBytes: number } & Settled<string>;
type WaitingRange = { range: FileRange } & Settled<SavedContent>;
type WaitingLive = { part: LivePart } & Settled<LivePartResult>;
type WaitingChunks = {
  bytes: Buffer;
  lengths: readonly number[];
  compression: Compression;
} & Settled<SavedContent>;

const alone = () => 1;
const always = () => true;

/** A queue that is taken from in batches; taking from the front costs the same however long it is. */
class Waiting<T> {
  #items: T[] = [];
  #taken = 0;

  push(item: T): void {
    this.#items.push(item);
  }

  /** At least one where there is any; no further ones than fit into a batch and go together with the first. */
  takeBatch(
    sizeOf: (item: T) => number,
    goTogether: (a: T, b: T) => boolean = always,
    countOf: (item: T) => number = alone,
  ): T[] {
    const batch: T[] = [];
    let bytes = 0;
    let count = 0;
    while (this.#taken < this.#items.length) {
      const item = this.#items[this.#taken] as T;
      bytes += sizeOf(item);
      count += countOf(item);
      const isMore = bytes > BATCH_BYTES || count > BATCH_ITEMS;
      if (batch[0] && (isMore || !goTogether(batch[0], item))) break;
      batch.push(item);
      this.#taken += 1;
    }
    if (this.#taken === this.#items.length) {
      this.#items = [];
      this.#taken = 0;
    } else if (this.#taken >= 4096) {
      this.#items = this.#items.slice(this.#taken);
      this.#taken = 0;
    }
    return batch;
  }
}

/** What a writer was asked for and no worker has yet. Everything in it settles, by a result or by `failAll`. */
export class WorkQueue {
  readonly #files = new Waiting<WaitingFiles>();
  readonly #ranges = new Waiting<WaitingRange>();
  readonly #live = new Waiting<WaitingLive>();
  readonly #trees = new Waiting<WaitingTree>();
  readonly #chunks = new Waiting<WaitingChunks>();
  readonly #unsettled = new Set<(error: unknown) => void>();
  /** Which kind is asked first changes by turns, so that none starves. */
  #turn = 0;
  #failure: { error: unknown } | undefined;
  /** Gets the memory of chunks that a worker has done. */
  readonly #onSpent: (memory: ArrayBufferLike) => void;

  constructor(onSpent: (memory: ArrayBufferLike) => void) {
    this.#onSpent = onSpent;
  }

  addFiles(files: readonly FileToSave[]): Promise<(SavedFile | FailedFile)[]> {
    const size = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return this.#add((settled) => this.#files.push({ files, sizeBytes: size, ...settled }));
  }

  addRange(range: FileRange): Promise<SavedContent> {
    return this.#add((settled) => this.#ranges.push({ range, ...settled }));
  }

  addLive(part: LivePart): Promise<LivePartResult> {
    return this.#add((settled) => this.#live.push({ part, ...settled }));
  }

  addTree(parts: readonly Uint8Array[]): Promise<string> {
    const sizeBytes = parts.reduce((sum, part) => sum + part.length, 0);
    return this.#add((settled) => this.#trees.push({ parts, sizeBytes, ...settled }));
  }

  /** Chunks that lie one after another in `bytes`, whose memory is given away. */
  addChunks(
    bytes: Buffer,
    lengths: readonly number[],
    compression: Compression,
  ): Promise<SavedContent> {
    return this.#add((settled) => this.#chunks.push({ bytes, lengths, compression, ...settled }));
  }

  next(): PooledJob | undefined {
    const kinds = [
      () => this.#nextChunks(),
      () => this.#nextTrees(),
      () => this.#nextFiles(),
      () => this.#nextRange(),
      () => this.#nextLive(),
    ];
    this.#turn += 1;
    for (let offset = 0; offset < kinds.length; offset += 1) {
      const job = kinds[(this.#turn + offset) % kinds.length]?.();
      if (job) return job;
    }
    return undefined;
  }

  /** Also what is added later fails at once. */
  failAll(error: unknown): void {
    this.#failure = { error };
    for (const reject of this.#unsettled) reject(error);
    this.#unsettled.clear();
  }

  #add<T>(push: (settled: Settled<T>) => void): Promise<T> {
    if (this.#failure) return Promise.reject(this.#failure.error);
    return new Promise((resolvePromise, rejectPromise) => {
      const reject = (error: unknown) => {
        this.#unsettled.delete(reject);
        rejectPromise(error);
      };
      const resolve = (value: T) => {
        this.#unsettled.delete(reject);
        resolvePromise(value);
      };
      this.#unsettled.add(reject);
      push({ resolve, reject });
    });
  }

  #nextFiles(): PooledJob | undefined {
    const batches = this.#files.takeBatch(
      ({ sizeBytes }) => sizeBytes,
      always,
      ({ files }) => files.length,
    );
    if (batches.length === 0) return undefined;
    const bytes = batches.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const count = batches.reduce((sum, { files }) => sum + files.length, 0);
    return {
      weightBytes: bytes + count * FILE_WEIGHT_BYTES,
      job: { kind: 'files', files: fileListOf(batches) },
      settle: (result) => {
        if (result.kind === 'files') settleFiles(batches, result);
        else throw new TypeError(`a worker answered ${result.kind} to files`);
      },
    };
  }

  #nextRange(): PooledJob | undefined {
    const [waiting] = this.#ranges.takeBatch(() => BATCH_BYTES);
    if (!waiting) return undefined;
    const { range, resolve, reject } = waiting;
    return {
      weightBytes: range.length,
      job: { kind: 'range', range },
      settle: (result) => {
        if (result.kind === 'range-failed') reject(systemError(result.error));
        else if (result.kind !== 'range') {
          throw new TypeError(`a worker answered ${result.kind} to a range`);
        } else {
          const { ids, sizeBytes, newBytes } = result;
          resolve({ ids: Buffer.from(ids), sizeBytes, newBytes });
        }
      },
    };
  }

  #nextLive(): PooledJob | undefined {
    const batch = this.#live.takeBatch(({ part }) => part.length);
    if (batch.length === 0) return undefined;
    const bytes = batch.reduce((sum, { part }) => sum + part.length, 0);
    return {
      weightBytes: bytes + batch.length * FILE_WEIGHT_BYTES,
      job: { kind: 'live', parts: batch.map(({ part }) => part) },
      settle: (result) => {
        if (result.kind !== 'live') {
          throw new TypeError(`a worker answered ${result.kind} to live parts`);
        }
        for (const [number, { resolve }] of batch.entries()) {
          resolve(result.parts[number] as LivePartResult);
        }
      },
    };
  }

  #nextTrees(): PooledJob | undefined {
    const batch = this.#trees.takeBatch(({ sizeBytes }) => sizeBytes);
    if (batch.length === 0) return undefined;
    const bytes = joined(batch.flatMap(({ parts }) => parts));
    const lengths = Uint32Array.from(batch, ({ sizeBytes }) => sizeBytes);
    return {
      weightBytes: bytes.length + batch.length * BLOB_WEIGHT_BYTES,
      job: { kind: 'blobs', type: 'tree', bytes, lengths, compression: 'usual' },
      settle: (result) => {
        const ids = Buffer.from(blobsOf(result).ids);
        for (const [number, { resolve }] of batch.entries()) {
          resolve(ids.toString('hex', number * ID_BYTES, (number + 1) * ID_BYTES));
        }
      },
    };
  }

  /** Small bodies share a job: thousands of them come one after another. */
  #nextChunks(): PooledJob | undefined {
    const batch = this.#chunks.takeBatch(
      ({ bytes }) => bytes.length,
      (a, b) => a.compression === b.compression,
    );
    const [first] = batch;
    if (!first) return undefined;
    const bytes = batch.length === 1 ? first.bytes : joined(batch.map((one) => one.bytes));
    const lengths = Uint32Array.from(batch.flatMap((one) => one.lengths));
    return {
      weightBytes: bytes.length + lengths.length * BLOB_WEIGHT_BYTES,
      job: { kind: 'blobs', type: 'data', bytes, lengths, compression: first.compression },
      settle: (result) => {
        settleChunks(batch, result);
        for (const one of batch) this.#onSpent(one.bytes.buffer);
      },
    };
  }
}

function settleChunks(batch: readonly WaitingChunks[], result: JobResult): void {
  const { ids, isNew } = blobsOf(result);
  let blob = 0;
  for (const { lengths, resolve } of batch) {
    let sizeBytes = 0;
    let newBytes = 0;
    for (const [number, length] of lengths.entries()) {
      sizeBytes += length;
      if (isNew[blob + number] === 1) newBytes += length;
    }
    const end = blob + lengths.length;
    resolve({ ids: Buffer.from(ids.slice(blob * ID_BYTES, end * ID_BYTES)), sizeBytes, newBytes });
    blob = end;
  }
}

function blobsOf(result: JobResult): Extract<JobResult, { kind: 'blobs' }> {
  if (result.kind !== 'blobs') throw new TypeError(`a worker answered ${result.kind} to blobs`);
  return result;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
