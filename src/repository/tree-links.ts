/**
 * Where trees lead to, as numbers of index entries. Whoever verifies a pack of trees has their bytes at hand: a walk that
 * follows needn't read them once more.
 */
import { HoldfastError } from '#base';
import type { BlobIndex } from './index/blob-index.ts';
import type { BlobTable } from './index/blob-table.ts';
import { type BlobType, ID_BYTES } from './names.ts';
import { decodeTree } from './tree/decode-tree.ts';
import { takeUsualLinks } from './tree/usual-links.ts';

/** 32 MiB of them, in some 100 MiB of trees: beyond, trees are read by the walk itself. */
const MOST_WORDS = 8 * 1024 * 1024;

/** In a worker thread, of one pack. */
export class LinkCollector {
  readonly #table: BlobTable;
  #words = new Uint32Array(4096);
  #used = 0;
  /** The tree that is being added leads to nothing unknown. */
  #isWhole = true;

  constructor(table: BlobTable) {
    this.#table = table;
  }

  /** Nothing of a tree that can't be read or leads to what no index tells of: the walk reads it, and names that. */
  add(id: Uint8Array, bytes: Buffer): void {
    const start = this.#used;
    const entry = this.#table.find('tree', id);
    if (entry < 0) return;
    this.#push(entry);
    this.#push(0);
    if (this.#addLinks(bytes)) this.#words[start + 1] = this.#used - start - 2;
    else this.#used = start;
  }

  /** For each tree its entry, how many it leads to, and these. */
  words(): Uint32Array<ArrayBuffer> {
    return this.#words.slice(0, this.#used);
  }

  #addLinks(bytes: Buffer): boolean {
    const start = this.#used;
    this.#isWhole = true;
    if (takeUsualLinks(bytes, this.#addLink)) return this.#isWhole;
    this.#used = start;
    this.#isWhole = true;
    try {
      for (const { subtree, content } of decodeTree(bytes)) {
        if (subtree !== undefined) this.#addLink('tree', Buffer.from(subtree, 'hex'));
        for (let at = 0; content && at < content.length; at += ID_BYTES) {
          this.#addLink('data', content.subarray(at, at + ID_BYTES));
        }
      }
      return this.#isWhole;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      return false;
    }
  }

  readonly #addLink = (type: BlobType, id: Uint8Array): void => {
    const entry = this.#table.find(type, id);
    if (entry < 0) this.#isWhole = false;
    else this.#push(entry);
  };

  #push(word: number): void {
    if (this.#used === this.#words.length) {
      const larger = new Uint32Array(this.#words.length * 2);
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#words[this.#used] = word;
    this.#used += 1;
  }
}

/** Of all packs that were verified; holds for the index that it was made for. */
export class TreeLinks {
  readonly index: BlobIndex;
  /** By entry: which part, and where in it. */
  readonly #places = new Map<number, { part: Uint32Array; at: number }>();
  #words = 0;

  constructor(index: BlobIndex) {
    this.index = index;
  }

  /** True while there is room for more. */
  get hasRoom(): boolean {
    return this.#words < MOST_WORDS;
  }

  /** What a `LinkCollector` of the same index gave. */
  add(part: Uint32Array): void {
    this.#words += part.length;
    for (let at = 0; at < part.length; at += 2 + (part[at + 1] as number)) {
      this.#places.set(part[at] as number, { part, at });
    }
  }

  /** First entries of all that the tree of this first entry leads to; undefined where that isn't known. */
  of(entry: number): Uint32Array | undefined {
    const place = this.#places.get(entry);
    if (!place) return undefined;
    const first = place.at + 2;
    return place.part.subarray(first, first + (place.part[place.at + 1] as number));
  }
}
