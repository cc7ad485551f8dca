import { ID_BYTES } from '../names.ts';

/** Ids of 32 bytes, one after another, in a buffer that doubles. */
export class IdList {
  #bytes = Buffer.allocUnsafeSlow(64 * ID_BYTES);
  #used = 0;

  get count(): number {
    return this.#used / ID_BYTES;
  }

  push(ids: Uint8Array): void {
    const needed = this.#used + ids.length;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#used);
      this.#bytes = larger;
    }
    this.#bytes.set(ids, this.#used);
    this.#used = needed;
  }

  /** A view: nothing may be pushed afterwards. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#used);
  }
}
