/** A storage far away, with copies nearby of its indexes, its snapshots and its packs of trees. */
import { hash } from 'node:crypto';
import { idOfName } from '../names.ts';
import { optionalParts } from '../storage/optional-parts.ts';
import type { ByteRange, FileHint, Storage, StoredFile } from '../storage/storage.ts';
import type { LocalCache } from './cache.ts';

/** Read whole, and named by the SHA-256 of what they hold. */
const WHOLE = /^(index|snapshots)\//;

/** Reads and writes pass through the cache where it keeps such files; everything else goes to the storage as it is. */
export function withCache(inner: Storage, cache: LocalCache): Storage {
  const cached = new CachedStorage(inner, cache);
  return {
    ...optionalParts(inner),
    ...(inner.removeAll && { removeAll: (names) => cached.removeAll(names) }),
    location: inner.location,
    concurrency: inner.concurrency,
    stat: (name) => inner.stat(name),
    read: (name, range, hint) => cached.read(name, range, hint),
    write: (name, parts, hint) => cached.write(name, parts, hint),
    list: (prefix) => cached.list(prefix),
    remove: (name) => cached.remove(name),
    close: () => cached.close(),
  };
}

class CachedStorage {
  readonly #inner: Storage;
  readonly #cache: LocalCache;
  /** Packs that are being fetched: those who ask meanwhile wait for the same. */
  readonly #fetching = new Map<string, Promise<Buffer>>();
  /** Packs whose copy was held against its name in this process. */
  readonly #verified = new Set<string>();
  /** The disk is full, or the folder isn't ours: to fetch whole packs for single blobs would be a waste. */
  #keepsNothing = false;

  constructor(inner: Storage, cache: LocalCache) {
    this.#inner = inner;
    this.#cache = cache;
  }

  async read(name: string, range?: ByteRange, hint?: FileHint): Promise<Buffer> {
    if (hint?.fresh) return this.#inner.read(name, range, hint);
    if (WHOLE.test(name) && !range) return (await this.#verifiedCopy(name)) ?? this.#fetch(name);
    if (hint?.blobs !== 'tree' || !range) return this.#inner.read(name, range, hint);
    return this.#readOfPack(name, range);
  }

  async write(name: string, parts: readonly Uint8Array[], hint?: FileHint): Promise<void> {
    await this.#inner.write(name, parts, hint);
    if (WHOLE.test(name) || hint?.blobs === 'tree') await this.#cache.put(name, parts);
  }

  /** What the storage no longer lists is dropped from the cache, too. */
  async *list(prefix: string): AsyncIterable<StoredFile> {
    const isWhole = WHOLE.test(prefix) && prefix.endsWith('/');
    const before = isWhole ? await this.#cache.namesIn(prefix) : [];
    const listed = new Set<string>();
    for await (const file of this.#inner.list(prefix)) {
      if (isWhole) listed.add(file.name);
      yield file;
    }
    for (const name of before) if (!listed.has(name)) await this.#cache.drop(name);
  }

  async remove(name: string): Promise<void> {
    await this.#inner.remove(name);
    await this.#cache.drop(name);
  }

  async removeAll(names: readonly string[]): Promise<string[]> {
    const locked = (await this.#inner.removeAll?.(names)) ?? [...names];
    const kept = new Set(locked);
    for (const name of names) if (!kept.has(name)) await this.#cache.drop(name);
    return locked;
  }

  async close(): Promise<void> {
    await this.#inner.close();
    await this.#cache.tidy();
  }

  /** Fetches the whole pack at the first blob: the next ones asked for are most often its neighbours. */
  async #readOfPack(name: string, range: ByteRange): Promise<Buffer> {
    if (this.#verified.has(name)) {
      const bytes = await this.#cache.take(name, range);
      if (bytes) return bytes;
      this.#verified.delete(name);
    }
    const copy = await this.#verifiedCopy(name);
    if (!copy && this.#keepsNothing) return this.#inner.read(name, range);
    const pack = copy ?? (await this.#fetchOnce(name));
    // The storage says what is wrong with a range.
    if (range.offset + range.length > pack.length) return this.#inner.read(name, range);
    return ownCopy(pack, range);
  }

  /** Undefined where there is none, or where it isn't what its name says. */
  async #verifiedCopy(name: string): Promise<Buffer | undefined> {
    const copy = await this.#cache.take(name);
    if (!copy) return undefined;
    if (fits(name, copy)) {
      this.#verified.add(name);
      return copy;
    }
    await this.#cache.drop(name);
    return undefined;
  }

  #fetchOnce(name: string): Promise<Buffer> {
    const begun = this.#fetching.get(name);
    if (begun) return begun;
    const fetched = this.#fetch(name).finally(() => this.#fetching.delete(name));
    this.#fetching.set(name, fetched);
    return fetched;
  }

  /** What doesn't fit its name isn't kept: whoever reads it says so. */
  async #fetch(name: string): Promise<Buffer> {
    const bytes = await this.#inner.read(name);
    if (fits(name, bytes)) {
      this.#keepsNothing = !(await this.#cache.put(name, [bytes]));
      this.#verified.add(name);
    }
    return bytes;
  }
}

function fits(name: string, bytes: Uint8Array): boolean {
  return hash('sha256', bytes, 'hex') === idOfName(name);
}

/** Of its own memory, so that it can be handed to another thread. */
function ownCopy(pack: Buffer, { offset, length }: ByteRange): Buffer {
  const copy = Buffer.allocUnsafeSlow(length);
  pack.copy(copy, 0, offset, offset + length);
  return copy;
}
