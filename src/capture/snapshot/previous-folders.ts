/** The trees of the capture before as they are stored, for those who hold whole folders against them. */
import { HoldfastError } from '#base';
import { KnownTree, type Repository } from '#repository';
import { DAMAGE, type PreviousTree } from './previous-tree.ts';
import type { RecentTrees } from './recent-trees.ts';

/** Read ahead at a time, and kept at most: plain bytes. */
const AHEAD_BYTES = 16 * 1024 * 1024;
const KEPT_BYTES = 48 * 1024 * 1024;
/** So that each pack is asked once for many of them. */
const BATCH_BYTES = 4 * 1024 * 1024;
const ID_BYTES = 32;
const ID_DIGITS = 64;
/** In a tree's text a quote never stands without a backslash within a string: this is no part of a name. */
const SUBTREE = Buffer.from('"subtree":"');

export type PreviousFoldersOptions = {
  repository: Pick<Repository, 'index' | 'readBlobs'>;
  recent: RecentTrees;
  /** For folders that nobody has said anything of. */
  tree: PreviousTree;
  /** Whether nearly all of it is going to be asked for: it is then read ahead, in the order of the walk. */
  readsAhead: boolean;
};

export class PreviousFolders {
  readonly #options: PreviousFoldersOptions;
  /** Hex ids of trees by the paths of their folders, until they are asked for. */
  readonly #expected = new Map<string, string>();
  readonly #loaded = new Map<string, Buffer | undefined>();
  #loadedBytes = 0;
  /** Ids that come next, in the order of the walk. */
  #ahead: string[] = [];

  constructor(options: PreviousFoldersOptions) {
    this.#options = options;
  }

  /** Says what the folder of this path was, before its own entries come. */
  expect(path: string, tree: string): void {
    this.#expected.set(path, tree);
  }

  /** Undefined where there was no such folder, or its tree is lost. */
  async open(path: string): Promise<KnownTree | undefined> {
    const { tree } = this.#options;
    const id = this.#expected.get(path) ?? (await tree.subtreeAt(path));
    this.#expected.delete(path);
    if (id === undefined) return undefined;
    const bytes = await this.#bytesOf(id);
    return bytes && new KnownTree(id, bytes);
  }

  async #bytesOf(id: string): Promise<Buffer | undefined> {
    const { recent, readsAhead } = this.#options;
    if (!readsAhead) {
      try {
        return await recent.readBytes(id);
      } catch (error) {
        if (error instanceof HoldfastError && DAMAGE.has(error.code)) return undefined;
        throw error;
      }
    }
    if (!this.#loaded.has(id)) await this.#loadFrom(id);
    const bytes = this.#loaded.get(id);
    // Used last: equal folders come again.
    this.#loaded.delete(id);
    this.#loaded.set(id, bytes);
    return bytes;
  }

  async #loadFrom(first: string): Promise<void> {
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
    const { index } = this.#options.repository;
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
    await this.#options.repository.readBlobs(
      'tree',
      wanted,
      (id, bytes) => {
        // They hold only until this returns.
        this.#loaded.set(id.toString('hex'), Buffer.from(bytes));
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
