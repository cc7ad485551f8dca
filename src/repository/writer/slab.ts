import { copyInto } from '#base';

/** Chunks are handed to workers in slabs of about this size. */
export const SLAB_BYTES = 4 * 1024 * 1024;

const MAX_FREE = 5;

/**
 * Whole slabs that workers are done with, to be used again. They are shared and not handed over: what changes hands
 * counts as new memory on the other side each time, and brings the garbage collector.
 */
export class SlabMemory {
  readonly #free: SharedArrayBuffer[] = [];

  take(): Buffer {
    const free = this.#free.pop();
    return Buffer.from(free ?? new SharedArrayBuffer(SLAB_BYTES));
  }

  /** Of anything that was worked off: what is no slab is left alone. */
  giveBack(memory: ArrayBufferLike): void {
    const isSlab = memory instanceof SharedArrayBuffer;
    if (isSlab && this.#free.length < MAX_FREE) this.#free.push(memory);
  }
}

/** Chunks one after another in memory that is given away. It begins small: most bodies are. */
export class Slab {
  readonly lengths: number[] = [];
  readonly #roomBytes: number;
  readonly #memory: SlabMemory;
  #buffer: Buffer = Buffer.alloc(0);
  #used = 0;
  #ended = 0;

  /** A single chunk may be longer than that. `goesOn`: it follows another slab of the same body, and begins whole. */
  constructor(roomBytes: number, memory: SlabMemory, goesOn = false) {
    this.#roomBytes = roomBytes;
    this.#memory = memory;
    if (goesOn) this.#grow(roomBytes);
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
    copyInto(this.#buffer, bytes, this.#used);
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
    const bytes = this.#used === 0 ? needed : Math.max(needed, this.#roomBytes);
    const fitsWhole = bytes <= SLAB_BYTES && bytes > SLAB_BYTES / 2;
    const larger = fitsWhole ? this.#memory.take() : Buffer.allocUnsafeSlow(bytes);
    copyInto(larger, this.bytes(), 0);
    this.#buffer = larger;
  }
}
