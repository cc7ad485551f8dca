/** Directories of snapshots, decoded; the ones used last are kept. */
import { decodeTree, type Repository, type TreeNode } from '#repository';

export type Listing = {
  tree: string;
  entries: readonly TreeNode[];
  /** Where in `entries` a name lies; names as latin1. */
  places: ReadonlyMap<string, number>;
};

/** About a kilobyte each. A larger directory is held as long as nobody looks at another. */
const MAX_ENTRIES = 100_000;

export class Listings {
  readonly #repository: Pick<Repository, 'readBlob'>;
  readonly #kept = new Map<string, Promise<Listing>>();
  readonly #sizes = new Map<string, number>();
  #entries = 0;

  constructor(repository: Pick<Repository, 'readBlob'>) {
    this.#repository = repository;
  }

  /** Rejects where the tree can't be read; the next call tries again. */
  get(tree: string): Promise<Listing> {
    const kept = this.#kept.get(tree);
    const listing = kept ?? this.#load(tree);
    this.#kept.delete(tree);
    this.#kept.set(tree, listing);
    return listing;
  }

  async #load(tree: string): Promise<Listing> {
    try {
      const entries = [...decodeTree(await this.#repository.readBlob('tree', tree))];
      const places = new Map(entries.map(({ name }, place) => [name.toString('latin1'), place]));
      this.#sizes.set(tree, entries.length);
      this.#entries += entries.length;
      this.#dropOldest(tree);
      return { tree, entries, places };
    } catch (error) {
      this.#kept.delete(tree);
      throw error;
    }
  }

  #dropOldest(newest: string): void {
    for (const tree of this.#kept.keys()) {
      if (this.#entries <= MAX_ENTRIES) return;
      const size = this.#sizes.get(tree);
      if (tree === newest || size === undefined) continue;
      this.#kept.delete(tree);
      this.#sizes.delete(tree);
      this.#entries -= size;
    }
  }
}
