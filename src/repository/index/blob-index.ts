/** Which blobs there are: in which pack, where, how long. Compact, and shareable with worker threads. */
import type { BlobType } from '../names.ts';
import type { PackedBlob } from '../pack/header.ts';
import { BlobTable, type TableEntry } from './blob-table.ts';
import type { SharedBlobTable } from './shared-table.ts';

export type BlobLocation = PackedBlob & { packId: string };

export type PackContents = { id: string; blobs: PackedBlob[] };

/** Entries of one pack lie together, except where several index files tell of one pack (old restic did that). */
type Run = { first: number; count: number };

export class BlobIndex {
  readonly #table = new BlobTable();
  readonly #packIds: string[] = [];
  readonly #packNumbers = new Map<string, number>();
  readonly #runs: Run[][] = [];

  /** Duplicates are counted. */
  get blobCount(): number {
    return this.#table.count;
  }

  get packCount(): number {
    return this.#packIds.length;
  }

  /** Memory of the table of blobs. */
  get sizeBytes(): number {
    return this.#table.sizeBytes;
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

  hasPack(packId: string): boolean {
    return this.#packNumbers.has(packId);
  }

  packIds(): Iterable<string> {
    return this.#packIds.values();
  }

  /** What a pack holds, in the order in which it lies; empty where the pack is unknown. */
  packContents(packId: string): PackedBlob[] {
    const number = this.#packNumbers.get(packId);
    if (number === undefined) return [];
    const blobs: PackedBlob[] = [];
    for (const run of this.#runs[number] as Run[]) {
      for (let entry = run.first; entry < run.first + run.count; entry += 1) {
        blobs.push(this.#table.entry(entry).blob);
      }
    }
    return blobs.sort((a, b) => a.offset - b.offset);
  }

  *packs(): Iterable<PackContents> {
    for (const id of this.#packIds) yield { id, blobs: this.packContents(id) };
  }

  /** What is known already (same pack, same place) changes nothing. */
  addPack(packId: string, blobs: readonly PackedBlob[]): void {
    const known = this.#packNumbers.get(packId);
    const number = known ?? this.#newPack(packId);
    const fresh = known === undefined ? blobs : blobs.filter((blob) => !this.#lies(number, blob));
    if (fresh.length === 0) return;
    const first = this.#table.count;
    for (const blob of fresh) this.#table.add(number, blob);
    (this.#runs[number] as Run[]).push({ first, count: fresh.length });
  }

  /** For worker threads: `new BlobTable(shared).has(type, ids, at)` there. What is added later may not be seen. */
  share(): SharedBlobTable {
    return this.#table.share();
  }

  #newPack(packId: string): number {
    const number = this.#packIds.length;
    this.#packIds.push(packId);
    this.#packNumbers.set(packId, number);
    this.#runs.push([]);
    return number;
  }

  #lies(packNumber: number, blob: PackedBlob): boolean {
    return this.#table
      .lookupAll(blob.type, blob.id)
      .some((entry) => entry.packNumber === packNumber && entry.blob.offset === blob.offset);
  }

  #locate({ packNumber, blob }: TableEntry): BlobLocation {
    return { ...blob, packId: this.#packIds[packNumber] as string };
  }
}
