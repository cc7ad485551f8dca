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

/** Puts the next bytes of a body into the room (not all of it, if it likes); resolves to how many, 0 at the end. */
type Fill = (room: Buffer) => Promise<number>;

export class BodySaver {
  readonly #queue: WorkQueue;
  readonly #wake: () => void;
  readonly #secret: string;
  readonly #slabs: Gate;
  readonly #largeFiles = new Gate(LARGE_FILES_AT_ONCE);
  /** Windows are some MiB each: used again. */
  readonly #windows = new Map<string, ChunkWindow[]>();

  /** `maxSlabs`: at once, of all bodies together. */
  constructor(queue: WorkQueue, wake: () => void, secret: string, maxSlabs: number) {
    this.#queue = queue;
    this.#wake = wake;
    this.#secret = secret;
    this.#slabs = new Gate(maxSlabs);
  }

  async saveStream(bytes: AsyncIterable<Uint8Array>, chunking: Chunking): Promise<SavedContent> {
    const iterator = bytes[Symbol.asyncIterator]();
    let rest: Uint8Array = Buffer.alloc(0);
    let ended = false;
    const fill: Fill = async (room) => {
      while (rest.length === 0 && !ended) {
        const { value, done } = await iterator.next();
        ended = done === true;
        rest = ended ? rest : value;
      }
      const taken = rest.subarray(0, room.length);
      room.set(taken);
      rest = rest.subarray(taken.length);
      return taken.length;
    };
    try {
      return await this.#save(fill, chunking);
    } finally {
      if (!ended) await iterator.return?.();
    }
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
      const fill: Fill = async (room) =>
        (await file.read(room, 0, Math.min(room.length, READ_BYTES), null)).bytesRead;
      return await this.#save(fill, { kind: 'content' });
    } finally {
      await file.close();
    }
  }

  async #save(fill: Fill, chunking: Chunking): Promise<SavedContent> {
    const key = chunking.kind === 'fixed' ? String(chunking.sizeBytes) : 'content';
    const window =
      this.#windows.get(key)?.pop() ?? new ChunkWindow(createCutter(chunking, this.#secret));
    const saved = new SlabResults();
    window.restart();
    try {
      let slab = new Slab();
      for (let ended = false; !ended; ) {
        const bytes = await fill(window.room());
        window.filled(bytes);
        ended = bytes === 0;
        for (let chunk = window.next(ended); chunk; chunk = window.next(ended)) {
          if (!slab.fits(chunk)) {
            await this.#send(slab, saved);
            slab = new Slab();
          }
          slab.add(chunk);
        }
      }
      if (!slab.isEmpty) await this.#send(slab, saved);
      return await saved.all();
    } finally {
      this.#windows.set(key, [...(this.#windows.get(key) ?? []), window]);
    }
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

/** Chunks one after another in memory that is given away. */
class Slab {
  readonly lengths: number[] = [];
  #buffer = Buffer.alloc(0);
  #used = 0;

  get isEmpty(): boolean {
    return this.lengths.length === 0;
  }

  fits(chunk: Buffer): boolean {
    return this.isEmpty || this.#used + chunk.length <= this.#buffer.length;
  }

  add(chunk: Buffer): void {
    if (this.isEmpty) this.#buffer = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, chunk.length));
    this.#used += chunk.copy(this.#buffer, this.#used);
    this.lengths.push(chunk.length);
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#used);
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
