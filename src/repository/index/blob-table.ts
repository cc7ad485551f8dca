/**
 * The blobs in typed arrays over shared memory: 48 bytes a blob in segments that never move, plus an open-addressing
 * table of entry numbers (4 bytes a slot, at most 3/4 full). One thread writes, any number may look up: an entry is
 * complete before its slot is set, and a grown slot table leaves the old one valid for those who hold it.
 */
import type { BlobType } from '../names.ts';
import type { PackedBlob } from '../pack/header.ts';
import type { SharedBlobTable } from './shared-table.ts';

/** 8 words of id, then pack number (top bit: tree), offset, sealed length, plain length where compressed (else 0). */
const ENTRY_WORDS = 12;
const SEGMENT_BITS = 14;
const SEGMENT_ENTRIES = 1 << SEGMENT_BITS;
const FIRST_SLOTS = 1 << 12;
const TREE = 0x8000_0000;
const SEAL_BYTES = 32;

export type TableEntry = { packNumber: number; blob: PackedBlob };

export class BlobTable {
  #slots: Uint32Array<SharedArrayBuffer>;
  readonly #segments: Uint32Array<SharedArrayBuffer>[];
  #count = 0;
  /** The id that is being looked for, as words. */
  readonly #wanted = new Uint32Array(8);

  constructor(shared?: SharedBlobTable) {
    this.#slots = new Uint32Array(shared?.slots ?? new SharedArrayBuffer(FIRST_SLOTS * 4));
    this.#segments = (shared?.segments ?? []).map((segment) => new Uint32Array(segment));
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
    this.#want(ids, at);
    for (let slot = this.#firstSlot(); ; slot = this.#nextSlot(slot)) {
      const entry = Atomics.load(this.#slots, slot) - 1;
      if (entry < 0 || this.#isWanted(entry, type)) return entry;
    }
  }

  lookup(type: BlobType, ids: Uint8Array, at = 0): TableEntry | undefined {
    const entry = this.find(type, ids, at);
    return entry < 0 ? undefined : this.entry(entry);
  }

  lookupAll(type: BlobType, ids: Uint8Array, at = 0): TableEntry[] {
    const found: TableEntry[] = [];
    this.#want(ids, at);
    for (let slot = this.#firstSlot(); ; slot = this.#nextSlot(slot)) {
      const entry = Atomics.load(this.#slots, slot) - 1;
      if (entry < 0) return found;
      if (this.#isWanted(entry, type)) found.push(this.entry(entry));
    }
  }

  /** Returns the entry's number; numbers count up from 0. */
  add(packNumber: number, blob: PackedBlob): number {
    if ((this.#count + 1) * 4 > this.#slots.length * 3) this.#growSlots();
    const entry = this.#count;
    const segment = this.#segmentFor(entry);
    const base = (entry & (SEGMENT_ENTRIES - 1)) * ENTRY_WORDS;
    this.#want(blob.id, 0);
    segment.set(this.#wanted, base);
    segment[base + 8] = blob.type === 'tree' ? packNumber | TREE : packNumber;
    segment[base + 9] = blob.offset;
    segment[base + 10] = blob.length;
    segment[base + 11] = blob.compressed ? blob.plainLength : 0;
    this.#count += 1;
    this.#insert(entry, this.#wanted[0] as number);
    return entry;
  }

  entry(entry: number): TableEntry {
    const segment = this.#segments[entry >>> SEGMENT_BITS] as Uint32Array;
    const base = (entry & (SEGMENT_ENTRIES - 1)) * ENTRY_WORDS;
    const id = Buffer.allocUnsafe(32);
    for (let word = 0; word < 8; word += 1) {
      id.writeUInt32LE(segment[base + word] as number, word * 4);
    }
    const packAndType = segment[base + 8] as number;
    const length = segment[base + 10] as number;
    const inflated = segment[base + 11] as number;
    return {
      packNumber: packAndType & ~TREE,
      blob: {
        type: packAndType & TREE ? 'tree' : 'data',
        id,
        offset: segment[base + 9] as number,
        length,
        compressed: inflated !== 0,
        plainLength: inflated !== 0 ? inflated : length - SEAL_BYTES,
      },
    };
  }

  #segmentFor(entry: number): Uint32Array {
    const number = entry >>> SEGMENT_BITS;
    if (number === this.#segments.length) {
      const bytes = SEGMENT_ENTRIES * ENTRY_WORDS * 4;
      this.#segments.push(new Uint32Array(new SharedArrayBuffer(bytes)));
    }
    return this.#segments[number] as Uint32Array;
  }

  #growSlots(): void {
    const larger = new Uint32Array(new SharedArrayBuffer(this.#slots.byteLength * 2));
    this.#slots = larger;
    for (let entry = 0; entry < this.#count; entry += 1) {
      const segment = this.#segments[entry >>> SEGMENT_BITS] as Uint32Array;
      this.#insert(entry, segment[(entry & (SEGMENT_ENTRIES - 1)) * ENTRY_WORDS] as number);
    }
  }

  #insert(entry: number, firstWord: number): void {
    const mask = this.#slots.length - 1;
    let slot = firstWord & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    Atomics.store(this.#slots, slot, entry + 1);
  }

  #want(ids: Uint8Array, at: number): void {
    for (let word = 0; word < 8; word += 1) {
      const byte = at + word * 4;
      this.#wanted[word] =
        (ids[byte] as number) |
        ((ids[byte + 1] as number) << 8) |
        ((ids[byte + 2] as number) << 16) |
        ((ids[byte + 3] as number) << 24);
    }
  }

  /** Ids are hashes already: their first word is as good as any. */
  #firstSlot(): number {
    return (this.#wanted[0] as number) & (this.#slots.length - 1);
  }

  #nextSlot(slot: number): number {
    return (slot + 1) & (this.#slots.length - 1);
  }

  #isWanted(entry: number, type: BlobType): boolean {
    const segment = this.#segments[entry >>> SEGMENT_BITS];
    // A worker that attached before this segment was made doesn't see it.
    if (!segment) return false;
    const base = (entry & (SEGMENT_ENTRIES - 1)) * ENTRY_WORDS;
    for (let word = 0; word < 8; word += 1) {
      if (segment[base + word] !== this.#wanted[word]) return false;
    }
    return (((segment[base + 8] as number) & TREE) !== 0) === (type === 'tree');
  }
}
