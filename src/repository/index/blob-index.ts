/** Which blobs there are: in which pack, where, how long. Compact, and shareable with worker threads. */
import { type BlobType, ID_BYTES } from '../names.ts';
import type { PackedBlob } from '../pack/header.ts';
import { BlobTable, type StoredTable, type TableEntry } from './blob-table.ts';
import { ENTRY_WORDS, OFFSET_WORD, PACK_WORD, TREE_BIT } from './entry-words.ts';
import { type IndexEntries, putWords } from './index-entries.ts';
import { NO_FILE, PackTable, type Run, type StoredPackTable } from './pack-table.ts';
import type { SharedBlobTable } from './shared-table.ts';

export type BlobLocation = PackedBlob & { packId: string };

export type PackContents = { id: string; blobs: PackedBlob[] };

export type StoredIndex = { table: StoredTable; packs: StoredPackTable };

export class BlobIndex {
  readonly #table: BlobTable;
  readonly #packs: PackTable;
  /** Whoever locates many blobs mostly asks for those of one pack. */
  #lastPack = { number: -1, id: '' };

  constructor(stored?: StoredIndex) {
    this.#table = new BlobTable(stored?.table);
    this.#packs = new PackTable(stored?.packs);
  }

  /** Duplicates are counted. */
  get blobCount(): number {
    return this.#table.count;
  }

  get packCount(): number {
    return this.#packs.count;
  }

  /** Memory of the tables of blobs and packs. */
  get sizeBytes(): number {
    return this.#table.sizeBytes + this.#packs.sizeBytes;
  }

  /** `at`: where in `ids` the 32 bytes begin, so that lists need no slicing. */
  has(type: BlobType, ids: Uint8Array, at = 0): boolean {
    return this.#table.has(type, ids, at);
  }

  lookup(type: BlobType, ids: Uint8Array, at = 0): BlobLocation | undefined {
    const entry = this.#table.lookup(type, ids, at);
    return entry && this.#locate(entry);
  }

  /** All copies, where a blob lies in several packs. */
  lookupAll(type: BlobType, ids: Uint8Array, at = 0): BlobLocation[] {
    return this.#table.lookupAll(type, ids, at).map((entry) => this.#locate(entry));
  }

  /** Number of a blob's first entry, or -1. Entries of one pack lie together. */
  entryOf(type: BlobType, ids: Uint8Array, at = 0): number {
    return this.#table.find(type, ids, at);
  }

  locationOf(entry: number): BlobLocation {
    return this.#locate(this.#table.entry(entry));
  }

  /** Numbers of all entries of one blob, the first one first. */
  copiesOf(entry: number): number[] {
    return this.#table.copiesOf(entry);
  }

  /** Number of the first entry of the blob that this entry is a copy of. */
  firstCopyOf(entry: number): number {
    return this.#table.firstCopyOf(entry);
  }

  packNumberOf(entry: number): number {
    return this.#table.packNumberOf(entry);
  }

  /** Sealed bytes of an entry. */
  lengthOf(entry: number): number {
    return this.#table.lengthOf(entry);
  }

  plainLengthOf(entry: number): number {
    return this.#table.plainLengthOf(entry);
  }

  isTree(entry: number): boolean {
    return this.#table.isTree(entry);
  }

  isCompressed(entry: number): boolean {
    return this.#table.isCompressed(entry);
  }

  hasPack(packId: string): boolean {
    return this.packNumber(packId) >= 0;
  }

  /** Packs are numbered from 0 to `packCount`; -1 where it is unknown. */
  packNumber(packId: string): number {
    const id = Buffer.from(packId, 'hex');
    return id.length === ID_BYTES ? this.#packs.find(id) : -1;
  }

  /** The same by 32 bytes of a list. */
  packNumberAt(ids: Uint8Array, at: number): number {
    return this.#packs.find(ids, at);
  }

  packIdOf(number: number): string {
    return this.#packs.idOf(number);
  }

  /** Programs of today keep trees and data apart: one blob tells what a pack holds. */
  beginsWithTree(packId: string): boolean {
    const number = this.packNumber(packId);
    const [run] = number < 0 ? [] : this.#packs.runsOf(number);
    return run !== undefined && this.#table.isTree(run.first);
  }

  *packIds(): Iterable<string> {
    for (let number = 0; number < this.#packs.count; number += 1) yield this.#packs.idOf(number);
  }

  /** Which entries a pack's blobs have: one run of them, for most. */
  runsOf(packNumber: number): readonly Run[] {
    return this.#packs.runsOf(packNumber);
  }

  /** What a pack holds, in the order in which it lies; empty where the pack is unknown. */
  packContents(packId: string): PackedBlob[] {
    const number = this.packNumber(packId);
    return number < 0 ? [] : this.contentsOf(number);
  }

  /** The same as numbers, for another thread: see `blobsOfWords`. */
  wordsOfPack(packId: string): Uint32Array<ArrayBuffer> {
    const number = this.packNumber(packId);
    const runs = number < 0 ? [] : this.#packs.runsOf(number);
    const blobs = runs.reduce((sum, { count }) => sum + count, 0);
    const words = new Uint32Array(blobs * ENTRY_WORDS);
    let at = 0;
    for (const { first, count } of runs) {
      for (const part of this.#table.wordsOf(first, count)) {
        words.set(part, at);
        at += part.length;
      }
    }
    return words;
  }

  *packs(): Iterable<PackContents> {
    for (let number = 0; number < this.#packs.count; number += 1) {
      yield { id: this.#packs.idOf(number), blobs: this.contentsOf(number) };
    }
  }

  /** What is known already (same pack, same place) changes nothing. */
  addPack(packId: string, blobs: readonly PackedBlob[], file = NO_FILE): void {
    const words = new Uint32Array(blobs.length * ENTRY_WORDS);
    for (const [i, blob] of blobs.entries()) putWords(words, i * ENTRY_WORDS, blob, 0);
    this.#add(Buffer.from(packId, 'hex'), 0, words, 0, blobs.length, file);
  }

  /**
   * The packs of an index file with the caller's number for it; those marked for deletion (rustic) only where `marked`
   * says so.
   */
  addEntries(entries: IndexEntries, file = NO_FILE, { marked = false } = {}): void {
    this.#table.reserve(entries.words.length / ENTRY_WORDS);
    let at = 0;
    for (const [number, count] of entries.counts.entries()) {
      if (marked || !entries.marked[number]) {
        this.#add(entries.packIds, number * ID_BYTES, entries.words, at, count, file);
      }
      at += count * ENTRY_WORDS;
    }
  }

  /**
   * Another index with what these files told, and nothing else. Undefined where several files each told a part of one
   * pack, so that nobody knows what each told.
   */
  onlyOf(files: ReadonlySet<number>): BlobIndex | undefined {
    const kept = new BlobIndex();
    for (let number = 0; number < this.#packs.count; number += 1) {
      const [run, ...further] = this.#packs.runsOf(number);
      const tellers = this.#packs.filesOf(number);
      if (!tellers || !run || further.length > 0) return undefined;
      const left = tellers.filter((file) => files.has(file));
      const [file] = left;
      if (file === undefined) continue;
      const first = kept.#table.count;
      for (const words of this.#table.wordsOf(run.first, run.count)) {
        kept.#table.append(words, 0, words.length / ENTRY_WORDS, kept.#packs.count);
      }
      kept.#packs.add(this.#packs.idBytesOf(number), 0, { first, count: run.count }, file);
      for (const other of left.slice(1)) kept.#packs.alsoTold(kept.packCount - 1, other, true);
    }
    return kept;
  }

  /** For worker threads: `new BlobTable(shared).has(type, ids, at)` there. What is added later may not be seen. */
  share(): SharedBlobTable {
    return this.#table.share();
  }

  /** All of it, to be kept elsewhere: `new BlobIndex(stored)` makes it again. The table is shared, not copied. */
  store(): StoredIndex {
    return {
      table: { ...this.#table.share(), count: this.#table.count },
      packs: this.#packs.store(),
    };
  }

  #add(
    ids: Uint8Array,
    at: number,
    words: Uint32Array,
    from: number,
    count: number,
    file: number,
  ): void {
    const known = this.#packs.find(ids, at);
    if (known < 0) {
      const number = this.#packs.count;
      const first = this.#table.append(words, from, count, number);
      this.#packs.add(ids, at, { first, count }, file);
      return;
    }
    const first = this.#table.count;
    for (let i = 0; i < count; i += 1) {
      const one = from + i * ENTRY_WORDS;
      if (!this.#lies(known, words, one)) this.#table.append(words, one, 1, known);
    }
    const added = this.#table.count - first;
    if (added > 0) this.#packs.addRun(known, { first, count: added });
    this.#packs.alsoTold(known, file, added === 0 && count === this.#packs.sizeOf(known));
  }

  #lies(packNumber: number, words: Uint32Array, at: number): boolean {
    const id = new Uint8Array(words.slice(at, at + PACK_WORD).buffer);
    const type = (words[at + PACK_WORD] as number) & TREE_BIT ? 'tree' : 'data';
    const offset = words[at + OFFSET_WORD] as number;
    const isIt = (entry: number) =>
      this.#table.packNumberOf(entry) === packNumber && this.#table.offsetOf(entry) === offset;
    const first = this.#table.find(type, id);
    return first >= 0 && (isIt(first) || this.#table.copiesOf(first).some(isIt));
  }

  /** The same by the pack's number. */
  contentsOf(number: number): PackedBlob[] {
    const blobs: PackedBlob[] = [];
    for (const run of this.#packs.runsOf(number)) {
      for (let entry = run.first; entry < run.first + run.count; entry += 1) {
        blobs.push(this.#table.entry(entry).blob);
      }
    }
    return blobs.sort((a, b) => a.offset - b.offset);
  }

  #locate({ packNumber, blob }: TableEntry): BlobLocation {
    if (packNumber !== this.#lastPack.number) {
      this.#lastPack = { number: packNumber, id: this.#packs.idOf(packNumber) };
    }
    return { ...blob, packId: this.#lastPack.id };
  }
}
