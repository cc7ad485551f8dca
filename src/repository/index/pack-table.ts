/** The packs of an index by number: about 50 bytes each, for there may be a million of them. */
import { ID_BYTES } from '../names.ts';
import { wordAt } from './index-entries.ts';

const FIRST_PACKS = 256;

/** Entries of one pack lie together, except where several index files tell of one pack (old restic did that). */
export type Run = { first: number; count: number };

/** Instead of the number of the index file that told of a pack, where several told parts of it, or none is known. */
export const NO_FILE = 0xffff_ffff;

/** As it is kept elsewhere: plain arrays of the size that is used. */
export type StoredPackTable = {
  ids: Uint8Array;
  firsts: Uint32Array;
  counts: Uint32Array;
  files: Uint32Array;
  further: readonly [packNumber: number, first: number, count: number][];
  /** Index files that told of a pack after another one had. */
  alsoIn: readonly [packNumber: number, file: number][];
};

export class PackTable {
  #count = 0;
  #ids: Uint8Array<ArrayBuffer>;
  #firsts: Uint32Array<ArrayBuffer>;
  #counts: Uint32Array<ArrayBuffer>;
  /** Numbers of the index files that told of them. */
  #files: Uint32Array<ArrayBuffer>;
  #slots: Uint32Array<ArrayBuffer>;
  /** Runs after the first, of the few packs that have such. */
  readonly #further = new Map<number, Run[]>();
  readonly #alsoIn = new Map<number, number[]>();

  constructor(stored?: StoredPackTable) {
    const room = Math.max(FIRST_PACKS, stored?.firsts.length ?? 0);
    this.#ids = new Uint8Array(room * ID_BYTES);
    this.#firsts = new Uint32Array(room);
    this.#counts = new Uint32Array(room);
    this.#files = new Uint32Array(room);
    this.#slots = new Uint32Array(slotsFor(room));
    if (!stored) return;
    this.#ids.set(stored.ids);
    this.#firsts.set(stored.firsts);
    this.#counts.set(stored.counts);
    this.#files.set(stored.files);
    this.#count = stored.firsts.length;
    for (let number = 0; number < this.#count; number += 1) this.#insert(number);
    for (const [number, first, count] of stored.further) this.addRun(number, { first, count });
    for (const [number, file] of stored.alsoIn) this.alsoTold(number, file, true);
  }

  get count(): number {
    return this.#count;
  }

  get sizeBytes(): number {
    const arrays = [this.#ids, this.#firsts, this.#counts, this.#files, this.#slots];
    return arrays.reduce((sum, array) => sum + array.byteLength, 0);
  }

  store(): StoredPackTable {
    const further = [...this.#further].flatMap(([number, runs]) =>
      runs.map(({ first, count }): [number, number, number] => [number, first, count]),
    );
    return {
      ids: this.#ids.slice(0, this.#count * ID_BYTES),
      firsts: this.#firsts.slice(0, this.#count),
      counts: this.#counts.slice(0, this.#count),
      files: this.#files.slice(0, this.#count),
      further,
      alsoIn: [...this.#alsoIn].flatMap(([number, files]) =>
        files.map((file): [number, number] => [number, file]),
      ),
    };
  }

  /** Number of the pack, or -1. `at`: where in `ids` its 32 bytes begin. */
  find(ids: Uint8Array, at = 0): number {
    const mask = this.#slots.length - 1;
    for (let slot = wordAt(ids, at) & mask; ; slot = (slot + 1) & mask) {
      const number = (this.#slots[slot] as number) - 1;
      if (number < 0 || this.#is(number, ids, at)) return number;
    }
  }

  /** It must not be there yet. Its entries begin at `run`. */
  add(ids: Uint8Array, at: number, run: Run, file: number): number {
    if (this.#count === this.#firsts.length) this.#grow();
    const number = this.#count;
    this.#ids.set(ids.subarray(at, at + ID_BYTES), number * ID_BYTES);
    this.#firsts[number] = run.first;
    this.#counts[number] = run.count;
    this.#files[number] = file;
    this.#count += 1;
    this.#insert(number);
    return number;
  }

  addRun(number: number, run: Run): void {
    const runs = this.#further.get(number);
    if (runs) runs.push(run);
    else this.#further.set(number, [run]);
  }

  idOf(number: number): string {
    return Buffer.from(this.#ids.buffer, number * ID_BYTES, ID_BYTES).toString('hex');
  }

  idBytesOf(number: number): Uint8Array {
    return this.#ids.subarray(number * ID_BYTES, (number + 1) * ID_BYTES);
  }

  /** Numbers of the index files that told all of the pack; undefined where some told parts of it. */
  filesOf(number: number): number[] | undefined {
    const file = this.#files[number] as number;
    return file === NO_FILE ? undefined : [file, ...(this.#alsoIn.get(number) ?? [])];
  }

  /** Another file told of it: all of it, or a part. */
  alsoTold(number: number, file: number, whole: boolean): void {
    const known = this.filesOf(number);
    if (!whole || file === NO_FILE) {
      this.#files[number] = NO_FILE;
      this.#alsoIn.delete(number);
    } else if (known && !known.includes(file)) {
      this.#alsoIn.set(number, [...known.slice(1), file]);
    }
  }

  /** Blobs of the pack. */
  sizeOf(number: number): number {
    let blobs = this.#counts[number] as number;
    for (const { count } of this.#further.get(number) ?? []) blobs += count;
    return blobs;
  }

  runsOf(number: number): Run[] {
    const first = this.#firsts[number] as number;
    return [{ first, count: this.#counts[number] as number }, ...(this.#further.get(number) ?? [])];
  }

  #is(number: number, ids: Uint8Array, at: number): boolean {
    const base = number * ID_BYTES;
    for (let i = 0; i < ID_BYTES; i += 1) if (this.#ids[base + i] !== ids[at + i]) return false;
    return true;
  }

  #insert(number: number): void {
    const mask = this.#slots.length - 1;
    let slot = wordAt(this.#ids, number * ID_BYTES) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = number + 1;
  }

  #grow(): void {
    const room = Math.ceil(this.#firsts.length * 1.5);
    const ids = new Uint8Array(room * ID_BYTES);
    ids.set(this.#ids);
    this.#ids = ids;
    this.#firsts = grown(this.#firsts, room);
    this.#counts = grown(this.#counts, room);
    this.#files = grown(this.#files, room);
    if (slotsFor(room) === this.#slots.length) return;
    this.#slots = new Uint32Array(slotsFor(room));
    for (let number = 0; number < this.#count; number += 1) this.#insert(number);
  }
}

function grown(array: Uint32Array<ArrayBuffer>, room: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(room);
  larger.set(array);
  return larger;
}

/** A power of two, at most 3/4 full. */
function slotsFor(packs: number): number {
  let slots = 512;
  while (packs * 4 > slots * 3) slots *= 2;
  return slots;
}
