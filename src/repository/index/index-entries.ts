/** What an index file tells, as numbers in few arrays: cheap to hand from thread to thread and to put into the table. */
import { ID_BYTES } from '../names.ts';
import type { IndexedPack, PackedBlob } from '../pack/header.ts';
import {
  ENTRY_WORDS,
  LENGTH_WORD,
  OFFSET_WORD,
  PACK_WORD,
  PLAIN_WORD,
  SEAL_BYTES,
  TREE_BIT,
} from './entry-words.ts';

/** Where a pack is listed. rustic marks packs that are to be deleted after a while instead of deleting them at once. */
export type PackList = 'packs' | 'packs_to_delete';

export type IndexEntries = {
  /** 32 bytes a pack. */
  packIds: Uint8Array<ArrayBuffer>;
  /** By pack: how many of the blobs, which follow one another, are its. */
  counts: Uint32Array<ArrayBuffer>;
  /** By pack: 1 where it is listed among those to delete. */
  marked: Uint8Array<ArrayBuffer>;
  /** `ENTRY_WORDS` a blob, without the pack's number. */
  words: Uint32Array<ArrayBuffer>;
};

/** Grows as packs and blobs come. */
export class EntryCollector {
  #packIds = new Uint8Array(64 * ID_BYTES);
  #counts = new Uint32Array(64);
  #marked = new Uint8Array(64);
  #packs = 0;
  words = new Uint32Array(4096 * ENTRY_WORDS);
  blobs = 0;

  /** Room for one more blob at `blobs * ENTRY_WORDS` of `words`. */
  makeRoom(): void {
    if ((this.blobs + 1) * ENTRY_WORDS <= this.words.length) return;
    const larger = new Uint32Array(this.words.length * 2);
    larger.set(this.words);
    this.words = larger;
  }

  endPack(id: Uint8Array, count: number, list: PackList): void {
    if (this.#packs === this.#counts.length) this.#growPacks();
    this.#packIds.set(id, this.#packs * ID_BYTES);
    this.#counts[this.#packs] = count;
    this.#marked[this.#packs] = list === 'packs' ? 0 : 1;
    this.#packs += 1;
  }

  /** Arrays of their own size, which can be handed to another thread. */
  entries(): IndexEntries {
    return {
      packIds: this.#packIds.slice(0, this.#packs * ID_BYTES),
      counts: this.#counts.slice(0, this.#packs),
      marked: this.#marked.slice(0, this.#packs),
      words: this.words.slice(0, this.blobs * ENTRY_WORDS),
    };
  }

  #growPacks(): void {
    const packs = this.#packs * 2;
    const ids = new Uint8Array(packs * ID_BYTES);
    const counts = new Uint32Array(packs);
    const marked = new Uint8Array(packs);
    ids.set(this.#packIds);
    counts.set(this.#counts);
    marked.set(this.#marked);
    this.#packIds = ids;
    this.#counts = counts;
    this.#marked = marked;
  }
}

/** One blob's words into an array. */
export function putWords(
  words: Uint32Array,
  at: number,
  blob: PackedBlob,
  packNumber: number,
): void {
  for (let word = 0; word < 8; word += 1) words[at + word] = wordAt(blob.id, word * 4);
  words[at + PACK_WORD] = blob.type === 'tree' ? packNumber | TREE_BIT : packNumber;
  words[at + OFFSET_WORD] = blob.offset;
  words[at + LENGTH_WORD] = blob.length;
  words[at + PLAIN_WORD] = blob.compressed ? blob.plainLength : 0;
}

/** Little-endian, wherever the bytes lie. */
export function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

export function blobFromWords(words: Uint32Array, at: number): PackedBlob {
  const id = Buffer.allocUnsafe(ID_BYTES);
  for (let byte = 0; byte < ID_BYTES; byte += 1) {
    id[byte] = (words[at + (byte >>> 2)] as number) >>> ((byte & 3) * 8);
  }
  const length = words[at + LENGTH_WORD] as number;
  const inflated = words[at + PLAIN_WORD] as number;
  return {
    type: (words[at + PACK_WORD] as number) & TREE_BIT ? 'tree' : 'data',
    id,
    offset: words[at + OFFSET_WORD] as number,
    length,
    compressed: inflated !== 0,
    plainLength: inflated !== 0 ? inflated : length - SEAL_BYTES,
  };
}

/** By offset. */
export function blobsOfWords(words: Uint32Array): PackedBlob[] {
  const blobs: PackedBlob[] = [];
  for (let at = 0; at < words.length; at += ENTRY_WORDS) blobs.push(blobFromWords(words, at));
  return blobs.sort((a, b) => a.offset - b.offset);
}

/** The packs one by one, for whoever looks at few of them. */
export function* packsOf(entries: IndexEntries): Iterable<{ pack: IndexedPack; list: PackList }> {
  let first = 0;
  for (const [number, count] of entries.counts.entries()) {
    const id = Buffer.from(entries.packIds.buffer, number * ID_BYTES, ID_BYTES).toString('hex');
    const blobs: PackedBlob[] = [];
    for (let entry = first; entry < first + count; entry += 1) {
      blobs.push(blobFromWords(entries.words, entry * ENTRY_WORDS));
    }
    first += count;
    yield { pack: { id, blobs }, list: entries.marked[number] ? 'packs_to_delete' : 'packs' };
  }
}
