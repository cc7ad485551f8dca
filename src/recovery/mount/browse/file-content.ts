/** The bytes of one file of a snapshot, from any offset, read ahead where somebody reads on and on. */
import { ID_BYTES, type Repository } from '#repository';
import type { BlobCache } from '../blob-cache.ts';

const READ_AHEAD_BYTES = 8 * 1024 * 1024;

export type ContentReader = {
  /** The whole file, as the blobs have it. */
  sizeBytes: number;
  /** Up to so many bytes in parts; fewer only at the end. Rejects where a blob can't be read. */
  read(offset: number, lengthBytes: number): Promise<Uint8Array[]>;
};

/** Plain length of all blobs, or undefined where one is in no index. */
export function contentSize(index: Repository['index'], ids: Buffer): number | undefined {
  let sizeBytes = 0;
  for (let at = 0; at < ids.length; at += ID_BYTES) {
    const length = index.lookup('data', ids, at)?.plainLength;
    if (length === undefined) return undefined;
    sizeBytes += length;
  }
  return sizeBytes;
}

/** Undefined where a blob is in no index: nobody knows then where the bytes behind it lie. */
export function openContent(
  index: Repository['index'],
  cache: BlobCache,
  ids: Buffer,
): ContentReader | undefined {
  const starts = new Float64Array(ids.length / ID_BYTES + 1);
  for (let at = 0, blob = 0; at < ids.length; at += ID_BYTES, blob += 1) {
    const length = index.lookup('data', ids, at)?.plainLength;
    if (length === undefined) return undefined;
    starts[blob + 1] = (starts[blob] as number) + length;
  }
  return new Content(cache, ids, starts);
}

class Content implements ContentReader {
  readonly sizeBytes: number;
  readonly #cache: BlobCache;
  readonly #ids: Buffer;
  /** Offset of each blob, and behind the last one the size. */
  readonly #starts: Float64Array;
  #expectedOffset = 0;
  #aheadUntil = 0;

  constructor(cache: BlobCache, ids: Buffer, starts: Float64Array) {
    this.#cache = cache;
    this.#ids = ids;
    this.#starts = starts;
    this.sizeBytes = starts.at(-1) ?? 0;
  }

  async read(offset: number, lengthBytes: number): Promise<Uint8Array[]> {
    const end = Math.min(offset + lengthBytes, this.sizeBytes);
    if (offset >= end) return [];
    const first = this.#blobAt(offset);
    const blobs: (Promise<Buffer> | Buffer)[] = [];
    for (let blob = first; this.#start(blob) < end; blob += 1) {
      blobs.push(this.#cache.get(this.#id(blob)));
    }
    this.#readAhead(offset, end, first + blobs.length);
    const parts = await Promise.all(blobs);
    return parts.map((bytes, index) => {
      const start = this.#start(first + index);
      return bytes.subarray(Math.max(0, offset - start), Math.min(bytes.length, end - start));
    });
  }

  /** Only after a read that went on where the one before it ended: who jumps about needs nothing of it. */
  #readAhead(offset: number, end: number, nextBlob: number): void {
    const isSequential = offset === this.#expectedOffset && offset > 0;
    this.#expectedOffset = end;
    if (!isSequential) {
      this.#aheadUntil = nextBlob;
      return;
    }
    const until = end + READ_AHEAD_BYTES;
    let blob = Math.max(nextBlob, this.#aheadUntil);
    for (; blob < this.#starts.length - 1 && this.#start(blob) < until; blob += 1) {
      this.#cache.prefetch(this.#id(blob));
    }
    this.#aheadUntil = blob;
  }

  #id(blob: number): Buffer {
    return this.#ids.subarray(blob * ID_BYTES, (blob + 1) * ID_BYTES);
  }

  #start(blob: number): number {
    return this.#starts[blob] ?? Number.POSITIVE_INFINITY;
  }

  /** The blob in which this offset lies, which is below the size. */
  #blobAt(offset: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#start(middle) <= offset) low = middle;
      else high = middle;
    }
    return low;
  }
}
