/** Bodies that the main thread reads: streams, and files so large that one worker alone would take too long. */
import fs from 'node:fs/promises';
import { ChunkWindow } from '../chunking/chunk-window.ts';
import { createCutter } from '../chunking/cutter.ts';
import { IdList } from './id-list.ts';
import { READ_FLAGS, requireRegularFile } from './read-file.ts';
import type { WorkQueue } from './work-queue.ts';
import type { Chunking, SavedContent } from './writer.ts';

/** Chunks are handed to workers in slabs of about this size. */
const SLAB_BYTES = 4 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;
const LARGE_FILES_AT_ONCE = 2;

export class BodySaver {
  readonly #queue: WorkQueue;
  readonly #wake: () => void;
  readonly #secret: string;
  readonly #slabs: Gate;
  readonly #largeFiles = new Gate(LARGE_FILES_AT_ONCE);
  /** Windows are some MiB each: used again. */
  readonly #windows: ChunkWindow[] = [];

  /** `maxSlabs`: at once, of all bodies together. */
  constructor(queue: WorkQueue, wake: () => void, secret: string, maxSlabs: number) {
    this.#queue = queue;
    this.#wake = wake;
    this.#secret = secret;
    this.#slabs = new Gate(maxSlabs);
  }

  saveStream(parts: AsyncIterable<Uint8Array>, chunking: Chunking): Promise<SavedContent> {
    return chunking.kind === 'fixed'
      ? this.#saveFixed(parts, chunking.sizeBytes)
      : this.#saveByContent(parts);
  }

  /** A few at once, each of which all workers work on: more would only take memory. */
  async saveLargeFile(path: Buffer): Promise<SavedContent> {
    await this.#largeFiles.enter();
    try {
      return await this.#readLargeFile(path);
    } finally {
      this.#largeFiles.leave();
    }
  }

  async #readLargeFile(path: Buffer): Promise<SavedContent> {
    const file = await fs.open(path, READ_FLAGS);
    try {
      requireRegularFile(await file.stat(), path);
      return await this.#saveByContent(partsOf(file));
    } finally {
      await file.close();
    }
  }

  async #saveByContent(parts: AsyncIterable<Uint8Array>): Promise<SavedContent> {
    const window =
      this.#windows.pop() ?? new ChunkWindow(createCutter({ kind: 'content' }, this.#secret));
    const saved = new SlabResults();
    window.restart();
    let slab = new Slab(SLAB_BYTES);
    const takeChunks = async (ended: boolean) => {
      for (let chunk = window.next(ended); chunk; chunk = window.next(ended)) {
        if (!slab.fits(chunk.length)) {
          await this.#send(slab, saved);
          slab = new Slab(SLAB_BYTES);
        }
        slab.add(chunk);
        slab.endChunk();
      }
    };
    try {
      for await (const part of parts) {
        for (let at = 0; at < part.length; ) {
          const room = window.room();
          const taken = part.subarray(at, at + room.length);
          room.set(taken);
          window.filled(taken.length);
          at += taken.length;
          await takeChunks(false);
        }
      }
      await takeChunks(true);
      if (!slab.isEmpty) await this.#send(slab, saved);
      return await saved.all();
    } finally {
      this.#windows.push(window);
    }
  }

  /** Parts are copied once, into the slab that goes to a worker. */
  async #saveFixed(parts: AsyncIterable<Uint8Array>, chunkBytes: number): Promise<SavedContent> {
    const saved = new SlabResults();
    const slabBytes = Math.max(chunkBytes, SLAB_BYTES - (SLAB_BYTES % chunkBytes));
    let slab = new Slab(slabBytes);
    for await (const part of parts) {
      for (let at = 0; at < part.length; ) {
        const taken = part.subarray(at, at + chunkBytes - slab.openBytes);
        slab.add(taken);
        at += taken.length;
        if (slab.openBytes === chunkBytes) slab.endChunk();
        if (slab.fits(chunkBytes)) continue;
        await this.#send(slab, saved);
        slab = new Slab(slabBytes);
      }
    }
    slab.endChunk();
    if (!slab.isEmpty) await this.#send(slab, saved);
    return await saved.all();
  }

  /** Resolves when the slab is on its way; waits while too many are. */
  async #send(slab: Slab, saved: SlabResults): Promise<void> {
    await this.#slabs.enter();
    const result = this.#queue.addChunks(slab.bytes(), slab.lengths);
    this.#wake();
    await saved.add(result.finally(() => this.#slabs.leave()));
  }
}

/** Lets so many through at once, in the order in which they came. */
class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  async enter(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    // Whoever waits takes the place over.
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }
}

/** The pieces of a file. The memory is used again for the next one. */
async function* partsOf(file: fs.FileHandle): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, READ_BYTES, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Chunks one after another in memory that is given away. It begins small: most bodies are. */
class Slab {
  readonly lengths: number[] = [];
  readonly #roomBytes: number;
  #buffer = Buffer.alloc(0);
  #used = 0;
  #ended = 0;

  /** A single chunk may be longer than that. */
  constructor(roomBytes: number) {
    this.#roomBytes = roomBytes;
  }

  get isEmpty(): boolean {
    return this.lengths.length === 0;
  }

  /** Bytes behind the last chunk's end. */
  get openBytes(): number {
    return this.#used - this.#ended;
  }

  fits(chunkBytes: number): boolean {
    return this.#used === 0 || this.#ended + chunkBytes <= this.#roomBytes;
  }

  add(bytes: Uint8Array): void {
    const needed = this.#used + bytes.length;
    if (needed > this.#buffer.length) this.#grow(needed);
    this.#buffer.set(bytes, this.#used);
    this.#used = needed;
  }

  endChunk(): void {
    if (this.openBytes > 0) this.lengths.push(this.openBytes);
    this.#ended = this.#used;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#used);
  }

  /** At the second time to all of it: what has grown once is likely to go on. */
  #grow(needed: number): void {
    const first = this.#used === 0;
    const larger = Buffer.allocUnsafeSlow(first ? needed : Math.max(needed, this.#roomBytes));
    this.#buffer.copy(larger, 0, 0, this.#used);
    this.#buffer = larger;
  }
}

/** What became of a body's slabs, in their order, whichever worker is first. */
class SlabResults {
  readonly #ids = new IdList();
  #sizeBytes = 0;
  #newBytes = 0;
  #last: Promise<void> = Promise.resolve();
  #failure: { error: unknown } | undefined;

  /** Throws where one before has failed already: nothing more needs to be read. */
  async add(result: Promise<SavedContent>): Promise<void> {
    this.#last = Promise.all([result, this.#last]).then(([saved]) => {
      this.#ids.push(saved.ids);
      this.#sizeBytes += saved.sizeBytes;
      this.#newBytes += saved.newBytes;
    });
    this.#last.catch((error) => {
      this.#failure ??= { error };
    });
    if (this.#failure) throw this.#failure.error;
  }

  async all(): Promise<SavedContent> {
    await this.#last;
    return { ids: this.#ids.bytes(), sizeBytes: this.#sizeBytes, newBytes: this.#newBytes };
  }
}
