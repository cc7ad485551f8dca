/** Chunks are handed to workers in slabs of about this size. */
export const SLAB_BYTES = 4 * 1024 * 1024;

const MAX_FREE = 5;

/** Whole slabs that came back from a worker: to allocate and forget them would keep the garbage collector busy. */
export class SlabMemory {
  readonly #free: ArrayBuffer[] = [];

  take(): Buffer {
    const free = this.#free.pop();
    return free ? Buffer.from(free) : Buffer.allocUnsafeSlow(SLAB_BYTES);
  }

  giveBack(memory: ArrayBuffer): void {
    if (memory.byteLength === SLAB_BYTES && this.#free.length < MAX_FREE) this.#free.push(memory);
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

  /** A single chunk may be longer than that. */
  constructor(roomBytes: number, memory: SlabMemory) {
    this.#roomBytes = roomBytes;
    this.#memory = memory;
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
    const bytes = this.#used === 0 ? needed : Math.max(needed, this.#roomBytes);
    const fitsWhole = bytes <= SLAB_BYTES && bytes > SLAB_BYTES / 2;
    const larger = fitsWhole ? this.#memory.take() : Buffer.allocUnsafeSlow(bytes);
    this.#buffer.copy(larger, 0, 0, this.#used);
    this.#buffer = larger;
  }
}
