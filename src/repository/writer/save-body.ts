/** Bodies that the main thread reads: streams, and files so large that one worker alone would take too long. */
import fs from 'node:fs/promises';
import { FileHoles, mayHaveXattrs } from '#base';
import { ChunkWindow } from '../chunking/chunk-window.ts';
import { createCutter } from '../chunking/cutter.ts';
import type { Cutting } from '../chunking/cutting.ts';
import { chunkingOfFile } from '../chunking/paged-file.ts';
import type { Compression } from '../crypto/compression.ts';
import { ContentBody, chunkBytesInZeros } from './content-body.ts';
import { Gate } from './gate.ts';
import { IdList } from './id-list.ts';
import { hasChanged, READ_FLAGS, requireRegularFile } from './read-file.ts';
import { SLAB_BYTES, Slab, type SlabMemory } from './slab.ts';
import type { WorkQueue } from './work-queue.ts';
import type { Chunking, SavedContent, SavedFile } from './writer.ts';

const READ_BYTES = 1024 * 1024;
/** Some milliseconds of a worker. */
const RANGE_BYTES = 8 * 1024 * 1024;
const LARGE_FILES_AT_ONCE = 2;

/** Told of so many further bytes of a body. */
type OnSaved = (bytes: number) => void;

type BodySaverParts = {
  queue: WorkQueue;
  memory: SlabMemory;
  wake: () => void;
  secret: string;
  cutting: Cutting;
  /** At once, of all bodies together. */
  maxSlabs: number;
};

export class BodySaver {
  readonly #queue: WorkQueue;
  readonly #memory: SlabMemory;
  readonly #wake: () => void;
  readonly #secret: string;
  readonly #cutting: Cutting;
  readonly #slabs: Gate;
  readonly #largeFiles = new Gate(LARGE_FILES_AT_ONCE);
  /** Windows are some MiB each: used again. */
  readonly #windows: ChunkWindow[] = [];
  #zeroChunkBytes: number | undefined;

  constructor({ queue, memory, wake, secret, cutting, maxSlabs }: BodySaverParts) {
    this.#cutting = cutting;
    this.#queue = queue;
    this.#memory = memory;
    this.#wake = wake;
    this.#secret = secret;
    this.#slabs = new Gate(maxSlabs);
  }

  saveStream(parts: AsyncIterable<Uint8Array>, chunking: Chunking): Promise<SavedContent> {
    return chunking.kind === 'fixed'
      ? this.#saveFixed(parts, chunking.sizeBytes, chunking.compression)
      : this.#saveStreamByContent(parts);
  }

  /** A few at once, each of which all workers work on: more would only take memory. */
  async saveLargeFile(
    path: Buffer,
    expectedSizeBytes: number,
    expectedMtimeMs: number,
    onSaved?: OnSaved,
  ): Promise<SavedFile> {
    await this.#largeFiles.enter();
    try {
      return await this.#readLargeFile(path, expectedSizeBytes, expectedMtimeMs, onSaved);
    } finally {
      this.#largeFiles.leave();
    }
  }

  async #readLargeFile(
    path: Buffer,
    expectedSizeBytes: number,
    expectedMtimeMs: number,
    onSaved?: OnSaved,
  ): Promise<SavedFile> {
    const file = await fs.open(path, READ_FLAGS);
    try {
      const stat = await file.stat();
      requireRegularFile(stat, path);
      const holes = new FileHoles(file.fd, stat.size);
      const chunking = chunkingOfFile(file.fd, stat.size, this.#cutting);
      const results = new SlabResults(onSaved);
      const saved =
        chunking.kind === 'fixed'
          ? await this.#saveRanges(path, holes, stat.size, chunking.sizeBytes, results)
          : await this.#saveByContent(file, holes, results);
      const isOtherSize = saved.sizeBytes !== expectedSizeBytes;
      return {
        ...saved,
        isChanged: isOtherSize || hasChanged(await file.stat(), expectedMtimeMs),
        mayHaveXattrs: mayHaveXattrs(file.fd),
      };
    } finally {
      await file.close();
    }
  }

  /** Nothing has to be looked for: each worker reads a part by itself. */
  async #saveRanges(
    path: Buffer,
    holes: FileHoles,
    sizeBytes: number,
    chunkBytes: number,
    saved: SlabResults,
  ): Promise<SavedContent> {
    const step = Math.max(chunkBytes, RANGE_BYTES - (RANGE_BYTES % chunkBytes));
    for (let offset = 0; offset < sizeBytes; offset += step) {
      const zeros = Math.floor((holes.endAt(offset) - offset) / step);
      if (zeros > 0) {
        await this.#saveZeros(chunkBytes, (zeros * step) / chunkBytes, saved);
        offset += (zeros - 1) * step;
        continue;
      }
      await this.#slabs.enter();
      const length = Math.min(step, sizeBytes - offset);
      const result = this.#queue.addRange({ path, offset, length, chunkBytes });
      this.#wake();
      await saved.add(result.finally(() => this.#slabs.leave()));
    }
    return await saved.all();
  }

  async #saveStreamByContent(parts: AsyncIterable<Uint8Array>): Promise<SavedContent> {
    return this.#cutByContent(new SlabResults(), async (body) => {
      for await (const part of parts) {
        for (let at = 0; at < part.length; ) {
          const room = body.window.room();
          const taken = part.subarray(at, at + room.length);
          room.set(taken);
          body.window.filled(taken.length);
          at += taken.length;
          await body.takeChunks(false);
        }
      }
    });
  }

  /** What lies in a hole where a chunk begins isn't read: the cuts in zeros are known. */
  async #saveByContent(
    file: fs.FileHandle,
    holes: FileHoles,
    saved: SlabResults,
  ): Promise<SavedContent> {
    return this.#cutByContent(saved, async (body) => {
      const { window } = body;
      const zeroChunkBytes = this.#zeroChunkOf(window);
      for (let at = 0; ; ) {
        const zeros = Math.floor((holes.endAt(body.cutBytes) - body.cutBytes) / zeroChunkBytes);
        if (zeros > 0) {
          await body.sendChunks();
          await this.#saveZeros(zeroChunkBytes, zeros, saved);
          body.cutBytes += zeros * zeroChunkBytes;
          // Zeros of the hole that were read already.
          window.restart();
          at = body.cutBytes;
        }
        const room = window.room();
        const length = Math.min(READ_BYTES, room.length);
        const { bytesRead } = await file.read(room, 0, length, at);
        if (bytesRead === 0) return;
        window.filled(bytesRead);
        at += bytesRead;
        await body.takeChunks(false);
      }
    });
  }

  async #cutByContent(
    saved: SlabResults,
    read: (body: ContentBody) => Promise<void>,
  ): Promise<SavedContent> {
    const window =
      this.#windows.pop() ??
      new ChunkWindow(createCutter({ kind: 'content' }, this.#secret, this.#cutting.style));
    const body = new ContentBody(window, this.#memory, (slab) => this.#send(slab, saved));
    window.restart();
    try {
      await read(body);
      await body.takeChunks(true);
      await body.sendChunks();
      return await saved.all();
    } finally {
      this.#windows.push(window);
    }
  }

  /** So long is each chunk where there is nothing but zeros. */
  #zeroChunkOf(window: ChunkWindow): number {
    this.#zeroChunkBytes ??= chunkBytesInZeros(window);
    return this.#zeroChunkBytes;
  }

  /** A chunk of zeros, so many times. */
  async #saveZeros(chunkBytes: number, times: number, saved: SlabResults): Promise<void> {
    const slab = new Slab(chunkBytes, this.#memory);
    slab.add(Buffer.alloc(chunkBytes));
    slab.endChunk();
    await this.#send(slab, saved, { times });
  }

  /** Parts are copied once, into the slab that goes to a worker. */
  async #saveFixed(
    parts: AsyncIterable<Uint8Array>,
    chunkBytes: number,
    compression: Compression = 'usual',
  ): Promise<SavedContent> {
    const saved = new SlabResults();
    const slabBytes = Math.max(chunkBytes, SLAB_BYTES - (SLAB_BYTES % chunkBytes));
    let slab = new Slab(slabBytes, this.#memory);
    for await (const part of parts) {
      for (let at = 0; at < part.length; ) {
        const taken = part.subarray(at, at + chunkBytes - slab.openBytes);
        slab.add(taken);
        at += taken.length;
        if (slab.openBytes === chunkBytes) slab.endChunk();
        if (slab.fits(chunkBytes)) continue;
        await this.#send(slab, saved, { compression });
        slab = new Slab(slabBytes, this.#memory, true);
      }
    }
    slab.endChunk();
    if (!slab.isEmpty) await this.#send(slab, saved, { compression });
    return await saved.all();
  }

  /** Resolves when the slab is on its way; waits while too many are. */
  async #send(
    slab: Slab,
    saved: SlabResults,
    { times = 1, compression = 'usual' }: { times?: number; compression?: Compression } = {},
  ): Promise<void> {
    await this.#slabs.enter();
    const result = this.#queue.addChunks(slab.bytes(), slab.lengths, compression);
    this.#wake();
    await saved.add(
      result.finally(() => this.#slabs.leave()),
      times,
    );
  }
}

/** What became of a body's slabs, in their order, whichever worker is first. */
class SlabResults {
  readonly #ids = new IdList();
  #sizeBytes = 0;
  #newBytes = 0;
  #last: Promise<void> = Promise.resolve();
  #failure: { error: unknown } | undefined;
  readonly #onSaved: OnSaved | undefined;

  constructor(onSaved?: OnSaved) {
    this.#onSaved = onSaved;
  }

  /** `times`: so often is it there. Throws where one before has failed already: nothing more needs to be read. */
  async add(result: Promise<SavedContent>, times = 1): Promise<void> {
    this.#last = Promise.all([result, this.#last]).then(([saved]) => {
      const { ids } = saved;
      this.#ids.push(times === 1 ? ids : Buffer.alloc(ids.length * times, ids));
      this.#sizeBytes += saved.sizeBytes * times;
      this.#newBytes += saved.newBytes;
      this.#onSaved?.(saved.sizeBytes * times);
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
