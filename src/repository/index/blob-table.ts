/**
 * The blobs in typed arrays over shared memory: 48 bytes a blob in segments that never move, plus an open-addressing
 * table of entry numbers (4 bytes a slot, at most 3/4 full). One thread writes, any number may look up: an entry is
 * complete before its slot is set, and a grown slot table leaves the old one valid for those who hold it.
 */
import type { BlobType } from '../names.ts';
import type { PackedBlob } from '../pack/header.ts';
import {
  ENTRY_WORDS,
  LENGTH_WORD,
  OFFSET_WORD,
  PACK_WORD,
  PLAIN_WORD,
  SEAL_BYTES,
  TREE_BIT,
} from './entry-words.ts';
import { blobFromWords, putWords, wordAt } from './index-entries.ts';
import type { SharedBlobTable } from './shared-table.ts';

const SEGMENT_BITS = 14;
/** Entries of one segment. */
export const SEGMENT_ENTRIES = 1 << SEGMENT_BITS;
const FIRST_SLOTS = 1 << 12;

export type TableEntry = { packNumber: number; blob: PackedBlob };

/** A table as it was kept elsewhere: what `BlobTable` itself made. */
export type StoredTable = SharedBlobTable & { count: number };

export class BlobTable {
  #slots: Uint32Array<SharedArrayBuffer>;
  readonly #segments: Uint32Array<SharedArrayBuffer>[];
  #count = 0;
  /** The id that is being looked for, as words. */
  readonly #wanted = new Uint32Array(8);

  constructor(shared?: SharedBlobTable & { count?: number }) {
    this.#slots = new Uint32Array(shared?.slots ?? new SharedArrayBuffer(FIRST_SLOTS * 4));
    this.#segments = (shared?.segments ?? []).map((segment) => new Uint32Array(segment));
    this.#count = shared?.count ?? 0;
  }

  get count(): number {
    return this.#count;
  }

  /** Memory that it takes. */
  get sizeBytes(): number {
    return this.#slots.byteLength + this.#segments.length * SEGMENT_ENTRIES * ENTRY_WORDS * 4;
  }

  share(): SharedBlobTable {
    return {
      slots: this.#slots.buffer,
      segments: this.#segments.map((segment) => segment.buffer),
    };
  }

  has(type: BlobType, ids: Uint8Array, at = 0): boolean {
    return this.find(type, ids, at) >= 0;
  }

  /** Entry number of the first copy, or -1. */
  find(type: BlobType, ids: Uint8Array, at = 0): number {
    for (let word = 0; word < 8; word += 1) this.#wanted[word] = wordAt(ids, at + word * 4);
    return this.#findWanted(type === 'tree' ? TREE_BIT : 0);
  }

  lookup(type: BlobType, ids: Uint8Array, at = 0): TableEntry | undefined {
    const entry = this.find(type, ids, at);
    return entry < 0 ? undefined : this.entry(entry);
  }

  lookupAll(type: BlobType, ids: Uint8Array, at = 0): TableEntry[] {
    const first = this.find(type, ids, at);
    return first < 0 ? [] : this.#copiesOf(first).map((entry) => this.entry(entry));
  }

  /** Numbers of all entries of the blob that this entry is a copy of, the first one first. */
  copiesOf(entry: number): number[] {
    this.#wantSameAs(entry);
    return this.#copiesOf(entry);
  }

  /** Number of the first entry of the blob that this entry is a copy of: itself, for most. */
  firstCopyOf(entry: number): number {
    return this.#findWanted(this.#wantSameAs(entry));
  }

  /** Room for so many more, so that the slots grow once. */
  reserve(entries: number): void {
    let slots = this.#slots.length;
    while ((this.#count + entries) * 4 > slots * 3) slots *= 2;
    if (slots > this.#slots.length) this.#growSlots(slots);
  }

  /** Returns the entry's number; numbers count up from 0. */
  add(packNumber: number, blob: PackedBlob): number {
    const words = new Uint32Array(ENTRY_WORDS);
    putWords(words, 0, blob, packNumber);
    return this.append(words, 0, 1, packNumber);
  }

  /** Adds the blobs of one pack from `from` words on; returns the first one's number. */
  append(words: Uint32Array, from: number, count: number, packNumber: number): number {
    this.reserve(count);
    const first = this.#count;
    for (let i = 0; i < count; i += 1) {
      const at = from + i * ENTRY_WORDS;
      const entry = first + i;
      const segment = this.#segmentFor(entry);
      const base = (entry & (SEGMENT_ENTRIES - 1)) * ENTRY_WORDS;
      for (let word = 0; word < ENTRY_WORDS; word += 1) {
        segment[base + word] = words[at + word] as number;
      }
      segment[base + PACK_WORD] = packNumber | ((words[at + PACK_WORD] as number) & TREE_BIT);
      this.#count = entry + 1;
      this.#insert(entry, words[at] as number);
    }
    return first;
  }

  entry(entry: number): TableEntry {
    const segment = this.#segments[entry >>> SEGMENT_BITS] as Uint32Array;
    const base = (entry & (SEGMENT_ENTRIES - 1)) * ENTRY_WORDS;
    return {
      packNumber: (segment[base + PACK_WORD] as number) & ~TREE_BIT,
      blob: blobFromWords(segment, base),
    };
  }

  packNumberOf(entry: number): number {
    return this.#wordOf(entry, PACK_WORD) & ~TREE_BIT;
  }

  offsetOf(entry: number): number {
    return this.#wordOf(entry, OFFSET_WORD);
  }

  /** Sealed bytes of the blob. */
  lengthOf(entry: number): number {
    return this.#wordOf(entry, LENGTH_WORD);
  }

  plainLengthOf(entry: number): number {
    return this.#wordOf(entry, PLAIN_WORD) || this.lengthOf(entry) - SEAL_BYTES;
  }

  isCompressed(entry: number): boolean {
    return this.#wordOf(entry, PLAIN_WORD) !== 0;
  }

  isTree(entry: number): boolean {
    return (this.#wordOf(entry, PACK_WORD) & TREE_BIT) !== 0;
  }

  /** The words of entries that lie together, in as many parts as segments hold them. */
  *wordsOf(first: number, count: number): Iterable<Uint32Array> {
    for (let entry = first; entry < first + count; ) {
      const inSegment = entry & (SEGMENT_ENTRIES - 1);
      const taken = Math.min(first + count - entry, SEGMENT_ENTRIES - inSegment);
      const segment = this.#segments[entry >>> SEGMENT_BITS] as Uint32Array;
      yield segment.subarray(inSegment * ENTRY_WORDS, (inSegment + taken) * ENTRY_WORDS);
      entry += taken;
    }
  }

  #wordOf(entry: number, word: number): number {
    const segment = this.#segments[entry >>> SEGMENT_BITS] as Uint32Array;
    return segment[(entry & (SEGMENT_ENTRIES - 1)) * ENTRY_WORDS + word] as number;
  }

  #segmentFor(entry: number): Uint32Array {
    const number = entry >>> SEGMENT_BITS;
    if (number === this.#segments.length) {
      const bytes = SEGMENT_ENTRIES * ENTRY_WORDS * 4;
      this.#segments.push(new Uint32Array(new SharedArrayBuffer(bytes)));
    }
    return this.#segments[number] as Uint32Array;
  }

  #growSlots(slots: number): void {
    this.#slots = new Uint32Array(new SharedArrayBuffer(slots * 4));
    for (let entry = 0; entry < this.#count; entry += 1)
      this.#insert(entry, this.#wordOf(entry, 0));
  }

  /** Ids are hashes already: their first word is as good as any. */
  #insert(entry: number, firstWord: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = firstWord & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    Atomics.store(slots, slot, entry + 1);
  }

  /** Returns the bit of its type. */
  #wantSameAs(entry: number): number {
    for (let word = 0; word < 8; word += 1) this.#wanted[word] = this.#wordOf(entry, word);
    return this.#wordOf(entry, PACK_WORD) & TREE_BIT;
  }

  #findWanted(typeBit: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = (this.#wanted[0] as number) & mask; ; slot = (slot + 1) & mask) {
      const entry = Atomics.load(slots, slot) - 1;
      if (entry < 0 || this.#isWanted(entry, typeBit)) return entry;
    }
  }

  /** The wanted id is that of this entry. */
  #copiesOf(first: number): number[] {
    const typeBit = this.#wordOf(first, PACK_WORD) & TREE_BIT;
    const found: number[] = [];
    const mask = this.#slots.length - 1;
    for (let slot = (this.#wanted[0] as number) & mask; ; slot = (slot + 1) & mask) {
      const entry = Atomics.load(this.#slots, slot) - 1;
      if (entry < 0) return found;
      if (this.#isWanted(entry, typeBit)) found.push(entry);
    }
  }

  #isWanted(entry: number, typeBit: number): boolean {
    const segment = this.#segments[entry >>> SEGMENT_BITS];
    // A worker that attached before this segment was made doesn't see it.
    if (!segment) return false;
    const base = (entry & (SEGMENT_ENTRIES - 1)) * ENTRY_WORDS;
    for (let word = 0; word < 8; word += 1) {
      if (segment[base + word] !== this.#wanted[word]) return false;
    }
    // Bits of 32-bit numbers may come out as negative ones.
    return ((segment[base + PACK_WORD] as number) & TREE_BIT) === (typeBit | 0);
  }
}
