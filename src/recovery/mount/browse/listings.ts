/** Directories of snapshots; the ones used last are kept. */
import { decodeNodeAt, decodePlacedNodes, type Repository, type TreeNode } from '#repository';

/** Held against the bytes of all that is kept, beside those: where an entry begins, and its place among the names. */
const ENTRY_BYTES = 16;
/** A larger directory is held as long as nobody looks at another. */
const MAX_BYTES = 64 * 1024 * 1024;
const NO_NAME = Buffer.alloc(0);

/** A directory as it is stored: its entries are read when they are asked for, for a million would be gigabytes. */
export class Listing {
  readonly tree: string;
  readonly #bytes: Buffer;
  /** Where each entry begins. */
  readonly #starts: Float64Array;
  /** Places by the bytes of their names, where they don't lie in that order. */
  readonly #byName: Uint32Array | undefined;

  /** Throws `repository/tree-damaged`. */
  constructor(tree: string, bytes: Buffer) {
    this.tree = tree;
    this.#bytes = bytes;
    const starts: number[] = [];
    let previous: Buffer | undefined;
    let isSorted = true;
    for (const { node, start } of decodePlacedNodes(bytes)) {
      starts.push(start);
      isSorted &&= !previous || Buffer.compare(previous, node.name) < 0;
      previous = node.name;
    }
    this.#starts = Float64Array.from(starts);
    if (!isSorted) this.#byName = this.#sortedPlaces();
  }

  get count(): number {
    return this.#starts.length;
  }

  get heldBytes(): number {
    return this.#bytes.length + this.count * ENTRY_BYTES;
  }

  /** From 0 on, in the order of the tree. */
  entry(place: number): TreeNode | undefined {
    const start = this.#starts[place];
    return start === undefined ? undefined : decodeNodeAt(this.#bytes, start)?.node;
  }

  named(name: Buffer): TreeNode | undefined {
    let low = 0;
    for (let high = this.count; low < high; ) {
      const middle = (low + high) >>> 1;
      const entry = this.entry(this.#byName?.[middle] ?? middle);
      const order = entry ? Buffer.compare(entry.name, name) : 0;
      if (order === 0) return entry;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return undefined;
  }

  #sortedPlaces(): Uint32Array {
    const names = Array.from(this.#starts, (_, place) => this.entry(place)?.name ?? NO_NAME);
    const order = (a: number, b: number) =>
      Buffer.compare(names[a] ?? NO_NAME, names[b] ?? NO_NAME);
    return Uint32Array.from(names.keys()).sort(order);
  }
}

export class Listings {
  readonly #repository: Pick<Repository, 'readBlob'>;
  readonly #kept = new Map<string, Promise<Listing>>();
  readonly #sizes = new Map<string, number>();
  #bytes = 0;

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
      const listing = new Listing(tree, await this.#repository.readBlob('tree', tree));
      this.#sizes.set(tree, listing.heldBytes);
      this.#bytes += listing.heldBytes;
      this.#dropOldest(tree);
      return listing;
    } catch (error) {
      this.#kept.delete(tree);
      throw error;
    }
  }

  #dropOldest(newest: string): void {
    for (const tree of this.#kept.keys()) {
      if (this.#bytes <= MAX_BYTES) return;
      const size = this.#sizes.get(tree);
      if (tree === newest || size === undefined) continue;
      this.#kept.delete(tree);
      this.#sizes.delete(tree);
      this.#bytes -= size;
    }
  }
}
