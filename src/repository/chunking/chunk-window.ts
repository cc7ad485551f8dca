import type { Cutter } from './cutter.ts';

/**
 * Bytes of one body go in at the one side, chunks come out at the other. Put bytes into `room()`, say how many with
 * `filled`, take chunks with `next` until it gives none. Chunks are views that hold until `room` is asked for again.
 */
export class ChunkWindow {
  readonly #cutter: Cutter;
  #start = 0;
  #end = 0;
  /** Bytes of the chunk at `#start` in which no end was found. */
  #seen = 0;

  constructor(cutter: Cutter) {
    this.#cutter = cutter;
  }

  /** Forgets everything: another body begins. */
  restart(): void {
    this.#start = 0;
    this.#end = 0;
    this.#seen = 0;
  }

  /**
   * Free memory of at least one byte. What waits for its chunk's end moves to the front first: once a chunk, and the
   * window stays within the processor's cache.
   */
  room(): Buffer {
    const { window } = this.#cutter;
    if (this.#start > 0) {
      window.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    return window.subarray(this.#end);
  }

  filled(bytes: number): void {
    this.#end += bytes;
  }

  /** With `ended` what is left is a chunk too, unless nothing is. */
  next(ended: boolean): Buffer | undefined {
    const available = this.#end - this.#start;
    const cut = this.#cutter.cut(this.#start, available, this.#seen);
    const length = cut === 0 && ended ? available : cut;
    this.#seen = length === 0 ? available : 0;
    if (length === 0) return undefined;
    const chunk = this.#cutter.window.subarray(this.#start, this.#start + length);
    this.#start += length;
    return chunk;
  }
}
