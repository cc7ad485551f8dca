/** Trees of the capture before, read in the order of the walk, many at a time. */
import type { Repository } from '#repository';

/** Read ahead at a time, and kept at most: plain bytes. */
const AHEAD_BYTES = 16 * 1024 * 1024;
const KEPT_BYTES = 48 * 1024 * 1024;
/** So that each pack is asked once for many of them. */
const BATCH_BYTES = 4 * 1024 * 1024;
const ID_BYTES = 32;
const ID_DIGITS = 64;
/** In a tree's text a quote never stands without a backslash within a string: this is no part of a name. */
const SUBTREE = Buffer.from('"subtree":"');

export class PreviousTrees {
  readonly #repository: Pick<Repository, 'index' | 'readBlobs'>;
  readonly #loaded = new Map<string, Buffer | undefined>();
  #loadedBytes = 0;
  /** Ids that come next, in the order of the walk. */
  #ahead: string[] = [];
  #loading: Promise<void> = Promise.resolve();

  constructor(repository: Pick<Repository, 'index' | 'readBlobs'>) {
    this.#repository = repository;
  }

  /** The encoded tree of a hex id; undefined where it is lost. What is likely to come next is read together with it. */
  async read(id: string): Promise<Buffer | undefined> {
    if (!this.#loaded.has(id)) {
      // One after another: what the one before reads is probably what is wanted.
      this.#loading = this.#loading.then(() => this.#loadFrom(id));
      await this.#loading;
    }
    const bytes = this.#loaded.get(id);
    // Used last: equal folders come again.
    this.#loaded.delete(id);
    this.#loaded.set(id, bytes);
    return bytes;
  }

  async #loadFrom(first: string): Promise<void> {
    if (this.#loaded.has(first)) return;
    this.#ahead = [first, ...this.#ahead.filter((id) => id !== first)];
    for (let bytes = 0; bytes < AHEAD_BYTES && this.#ahead.length > 0; ) {
      const batch = this.#nextBatch();
      bytes += await this.#load(batch);
      const below = batch.flatMap((id) => subtreesIn(this.#loaded.get(id)));
      this.#ahead = [...below, ...this.#ahead];
    }
    for (const [id, bytes] of this.#loaded) {
      if (this.#loadedBytes <= KEPT_BYTES || id === first) break;
      this.#loaded.delete(id);
      this.#loadedBytes -= bytes?.length ?? 0;
    }
  }

  /** At least one. */
  #nextBatch(): string[] {
    const { index } = this.#repository;
    const batch: string[] = [];
    let taken = 0;
    for (let bytes = 0; taken < this.#ahead.length; taken += 1) {
      const id = this.#ahead[taken] as string;
      if (this.#loaded.has(id)) continue;
      bytes += index.lookup('tree', Buffer.from(id, 'hex'))?.plainLength ?? 0;
      if (batch.length > 0 && bytes > BATCH_BYTES) break;
      batch.push(id);
    }
    this.#ahead = this.#ahead.slice(taken);
    return batch;
  }

  /** Answers with the plain bytes that came. */
  async #load(ids: readonly string[]): Promise<number> {
    let loaded = 0;
    const wanted = Buffer.allocUnsafe(ids.length * ID_BYTES);
    for (const [number, id] of ids.entries()) wanted.write(id, number * ID_BYTES, 'hex');
    await this.#repository.readBlobs(
      'tree',
      wanted,
      (id, bytes, isOwn) => {
        // Most hold only until this returns.
        this.#loaded.set(id.toString('hex'), isOwn ? bytes : Buffer.from(bytes));
        loaded += bytes.length;
      },
      { onDamaged: (id) => void this.#loaded.set(id.toString('hex'), undefined) },
    );
    this.#loadedBytes += loaded;
    return loaded;
  }
}

function subtreesIn(tree: Buffer | undefined): string[] {
  const ids: string[] = [];
  let at = tree?.indexOf(SUBTREE) ?? -1;
  while (tree && at >= 0) {
    const begin = at + SUBTREE.length;
    ids.push(tree.toString('latin1', begin, begin + ID_DIGITS));
    at = tree.indexOf(SUBTREE, begin);
  }
  return ids;
}
