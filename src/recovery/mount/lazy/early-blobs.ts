/** Blobs that whatever is started on a tree asks for first, one after another: from afar they are better fetched at once. */
import { ID_BYTES } from '#repository';

/** Plain: at most the hundredth part of a store, far less of it where that compresses, and little to hold in memory. */
const MOST_BYTES = 16 * 1024 * 1024;
const SHARE = 0.01;
const LEAST_BYTES = 4 * 1024 * 1024;

export class EarlyBlobs {
  readonly #patterns: readonly RegExp[];
  /** By pattern: those of the first go before all others. */
  readonly #found: { ids: Buffer; sizeBytes: number }[][];
  #totalBytes = 0;

  /** Of paths within the tree, the most wanted first. */
  constructor(patterns: readonly RegExp[]) {
    this.#patterns = patterns;
    this.#found = patterns.map(() => []);
  }

  /** `ids`: of a file's blobs, which must not change. */
  add(relative: string, sizeBytes: number, ids: Buffer): void {
    this.#totalBytes += sizeBytes;
    const which = this.#patterns.findIndex((pattern) => pattern.test(relative));
    if (which >= 0) this.#found[which]?.push({ ids, sizeBytes });
  }

  /** Those of whole files, as many as are worth it for a tree of this size. */
  *ids(): Generator<Buffer> {
    let left = Math.min(MOST_BYTES, Math.max(LEAST_BYTES, this.#totalBytes * SHARE));
    for (const { ids, sizeBytes } of this.#found.flat()) {
      if (sizeBytes > left) continue;
      left -= sizeBytes;
      for (let at = 0; at < ids.length; at += ID_BYTES) yield ids.subarray(at, at + ID_BYTES);
    }
  }
}
