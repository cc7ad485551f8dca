/**
 * Ranges of packs of data from a storage far away, kept on this machine as they are stored there, which is encrypted. For
 * whoever reads the same parts again and again, as mounts do; several processes may share the folder.
 */
import { hash } from 'node:crypto';
import { optionalParts } from '../storage/optional-parts.ts';
import type { ByteRange, FileHint, Storage } from '../storage/storage.ts';
import { type CacheOptions, LocalCache } from './cache.ts';

const FOLDER = 'ranges/';
const DIGEST_BYTES = 32;
/** After a full disk, so many ranges go by before it is tried again. */
const SKIPPED_AFTER_FAILURE = 100;

/**
 * Reads of ranges in packs of data go through the cache; everything else goes to the storage as it is. A storage on this
 * machine is given back as it came.
 */
export function withRangeCache(
  inner: Storage,
  repositoryId: string,
  options: CacheOptions,
): Storage {
  if (!inner.isRemote) return inner;
  const cache = new LocalCache(repositoryId, options);
  const ranges = new CachedRanges(inner, cache);
  return {
    ...optionalParts(inner),
    location: inner.location,
    concurrency: inner.concurrency,
    stat: (name) => inner.stat(name),
    read: (name, range, hint) => ranges.read(name, range, hint),
    write: (name, parts, hint) => inner.write(name, parts, hint),
    list: (prefix) => inner.list(prefix),
    remove: (name) => inner.remove(name),
    close: async () => {
      await inner.close();
      await cache.tidy();
    },
  };
}

class CachedRanges {
  readonly #inner: Storage;
  readonly #cache: LocalCache;
  /** By pack, what is known to be kept; looked up once, for others may have kept some before. */
  readonly #known = new Map<string, Promise<ByteRange[]>>();
  #skip = 0;

  constructor(inner: Storage, cache: LocalCache) {
    this.#inner = inner;
    this.#cache = cache;
  }

  async read(name: string, range?: ByteRange, hint?: FileHint): Promise<Buffer> {
    if (!range || hint?.blobs !== 'data' || hint.fresh) return this.#inner.read(name, range, hint);
    const ranges = await this.#rangesOf(name);
    for (const kept of ranges.filter((one) => holds(one, range))) {
      const bytes = await this.#take(name, kept);
      if (bytes) return ownCopy(bytes, range.offset - kept.offset, range.length);
      ranges.splice(ranges.indexOf(kept), 1);
    }
    const bytes = await this.#inner.read(name, range, hint);
    await this.#keep(name, range, bytes, ranges);
    return bytes;
  }

  #rangesOf(name: string): Promise<ByteRange[]> {
    const known = this.#known.get(name);
    if (known) return known;
    const found = this.#cache.namesIn(folderOf(name)).then((names) => names.flatMap(rangeOf));
    this.#known.set(name, found);
    return found;
  }

  /** Undefined where it went, or isn't what was put there. */
  async #take(name: string, range: ByteRange): Promise<Buffer | undefined> {
    const file = await this.#cache.take(fileOf(name, range));
    if (!file) return undefined;
    const bytes = file.subarray(0, -DIGEST_BYTES);
    if (bytes.length === range.length && digest(bytes).equals(file.subarray(-DIGEST_BYTES))) {
      return bytes;
    }
    await this.#cache.drop(fileOf(name, range));
    return undefined;
  }

  /** A cache that takes nothing costs a try now and then. */
  async #keep(name: string, range: ByteRange, bytes: Buffer, ranges: ByteRange[]): Promise<void> {
    if (this.#skip > 0) {
      this.#skip -= 1;
      return;
    }
    if (await this.#cache.put(fileOf(name, range), [bytes, digest(bytes)])) ranges.push(range);
    else this.#skip = SKIPPED_AFTER_FAILURE;
  }
}

const digest = (bytes: Uint8Array): Buffer => hash('sha256', bytes, 'buffer');

const folderOf = (name: string) => `${FOLDER}${name.slice(name.lastIndexOf('/') + 1)}/`;

const fileOf = (name: string, { offset, length }: ByteRange) =>
  `${folderOf(name)}${offset}-${length}`;

function rangeOf(name: string): ByteRange[] {
  const match = /\/(\d+)-(\d+)$/.exec(name);
  return match ? [{ offset: Number(match[1]), length: Number(match[2]) }] : [];
}

function holds(kept: ByteRange, { offset, length }: ByteRange): boolean {
  return kept.offset <= offset && kept.offset + kept.length >= offset + length;
}

/** Of its own memory, so that it can be handed to another thread. */
function ownCopy(bytes: Buffer, offset: number, length: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(length);
  bytes.copy(copy, 0, offset, offset + length);
  return copy;
}
