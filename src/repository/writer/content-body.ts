/** One body while its content decides where it is cut: chunks are gathered into slabs, which go on their way when full. */
import type { ChunkWindow } from '../chunking/chunk-window.ts';
import { MAX_CHUNK_BYTES } from '../chunking/content-cutter.ts';
import { SLAB_BYTES, Slab, type SlabMemory } from './slab.ts';

export class ContentBody {
  readonly window: ChunkWindow;
  /** Bytes of all chunks that were taken: there the next one begins. */
  cutBytes = 0;
  readonly #memory: SlabMemory;
  readonly #send: (slab: Slab) => Promise<void>;
  #slab: Slab;

  constructor(window: ChunkWindow, memory: SlabMemory, send: (slab: Slab) => Promise<void>) {
    this.window = window;
    this.#memory = memory;
    this.#send = send;
    this.#slab = new Slab(SLAB_BYTES, memory);
  }

  /** `ended`: what is left in the window is a chunk too. */
  async takeChunks(ended: boolean): Promise<void> {
    for (let chunk = this.window.next(ended); chunk; chunk = this.window.next(ended)) {
      if (!this.#slab.fits(chunk.length)) await this.sendChunks();
      this.#slab.add(chunk);
      this.#slab.endChunk();
      this.cutBytes += chunk.length;
    }
  }

  async sendChunks(): Promise<void> {
    if (this.#slab.isEmpty) return;
    const slab = this.#slab;
    this.#slab = new Slab(SLAB_BYTES, this.#memory, true);
    await this.#send(slab);
  }
}

/** How long the cutter makes a chunk of zeros that have no end. Leaves the window empty. */
export function chunkBytesInZeros(window: ChunkWindow): number {
  window.restart();
  window.room().fill(0, 0, MAX_CHUNK_BYTES);
  window.filled(MAX_CHUNK_BYTES);
  const length = window.next(true)?.length ?? MAX_CHUNK_BYTES;
  window.restart();
  return length;
}
