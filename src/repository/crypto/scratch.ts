/** Memory that grows to the largest that was asked for, up to a bound that callers keep. What lies in it holds until the next use. */
export class Scratch {
  #memory: Buffer = Buffer.alloc(0);

  of(bytes: number): Buffer {
    if (bytes > this.#memory.length)
      this.#memory = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * this.#memory.length));
    return this.#memory;
  }
}

/** Larger ones come by themselves, with memory of their own. */
export const MOST_SCRATCH_BYTES = 9 * 1024 * 1024;
