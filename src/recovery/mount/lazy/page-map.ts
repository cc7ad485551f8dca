/**
 * Which pages of which file are here, and which still lie in the repository alone. Shared between the thread that
 * answers the kernel and the one that fetches; both look and change under one lock, for microseconds at a time.
 *
 * Layout of the shared bytes, also on disk: 64 bytes of which the first 4 are the lock and the next 4 say whether a
 * write was lost, then for each file 8 bytes of limit, then for each file 4 bytes that say whether it changed since it
 * was last made durable, then the bits of all files, each file's beginning at a whole 4 bytes.
 */

export const PAGE_BYTES = 4096;
const HEAD_BYTES = 64;
const FREE = 0;
const HELD = 1;
/** Byte in `shared` of the word that says so. */
export const LOST_PLACE = 4;

/** Pages from `first` to before `end`, all here or all absent. */
export type PageRun = { first: number; end: number; present: boolean };

/** Sizes in bytes when the folder was laid out, which set the places for good. */
export function pageMapBytes(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + wordsFor(size) * 4, HEAD_BYTES + sizes.length * 12 + 4);
}

export class PageMap {
  readonly shared: SharedArrayBuffer;
  readonly #lock: Int32Array;
  readonly #limits: Float64Array;
  readonly #changed: Int32Array;
  readonly #words: Int32Array;
  /** Byte in `shared` where the bits of a file begin. */
  readonly #starts: number[] = [];
  readonly #pages: number[];

  /** `shared`: zeros, or what was there before. Limits are set only where `fresh`. */
  constructor(sizes: readonly number[], shared: SharedArrayBuffer, fresh: boolean) {
    this.shared = shared;
    this.#lock = new Int32Array(shared, 0, 1);
    this.#limits = new Float64Array(shared, HEAD_BYTES, sizes.length);
    this.#changed = new Int32Array(shared, HEAD_BYTES + sizes.length * 8, sizes.length);
    this.#words = new Int32Array(shared);
    this.#pages = sizes.map((size) => Math.ceil(size / PAGE_BYTES));
    let start = HEAD_BYTES + sizes.length * 12;
    start += start % 8;
    for (const size of sizes) {
      this.#starts.push(start);
      start += wordsFor(size) * 4;
    }
    if (fresh) this.#limits.set(sizes);
  }

  /** Between the two threads; never held while anything is awaited. */
  locked<T>(work: () => T): T {
    while (Atomics.compareExchange(this.#lock, 0, FREE, HELD) !== FREE) {
      Atomics.wait(this.#lock, 0, HELD, 10);
    }
    try {
      return work();
    } finally {
      Atomics.store(this.#lock, 0, FREE);
      Atomics.notify(this.#lock, 0, 1);
    }
  }

  /** Whoever held the lock may have been killed with it. */
  breakLock(): void {
    Atomics.store(this.#lock, 0, FREE);
  }

  /** What a program was told was written found no room: some page is older than it should be. */
  get hasLostWrites(): boolean {
    return Atomics.load(this.#words, LOST_PLACE / 4) !== 0;
  }

  noteLostWrite(): void {
    Atomics.store(this.#words, LOST_PLACE / 4, 1);
  }

  /** Bytes of the repository's content that still count: a file that was cut shows zeros behind, however it grows. */
  limitOf(file: number): number {
    return this.#limits[file] as number;
  }

  lowerLimit(file: number, sizeBytes: number): void {
    this.#limits[file] = Math.min(this.limitOf(file), sizeBytes);
  }

  /** Where in `shared` the limit of a file lies. */
  limitPlace(file: number): number {
    return HEAD_BYTES + file * 8;
  }

  isPresent(file: number, page: number): boolean {
    // What lies behind the content is zeros, which a sparse file has by itself.
    if (page * PAGE_BYTES >= this.limitOf(file)) return true;
    const word = this.#words[this.#word(file, page)] as number;
    return (word & (1 << (page & 31))) !== 0;
  }

  /** True where every byte of this range is here. */
  hasRange(file: number, offset: number, lengthBytes: number): boolean {
    const end = Math.ceil((offset + lengthBytes) / PAGE_BYTES);
    for (let page = Math.floor(offset / PAGE_BYTES); page < end; page += 1) {
      if (!this.isPresent(file, page)) return false;
    }
    return true;
  }

  /** The pages before `end` in runs that are alike. */
  *runs(file: number, first: number, end: number): Generator<PageRun> {
    for (let page = first; page < end; ) {
      const present = this.isPresent(file, page);
      let next = page + 1;
      while (next < end && this.isPresent(file, next) === present) next += 1;
      yield { first: page, end: next, present };
      page = next;
    }
  }

  /** The bytes of `shared` that changed by it. */
  markPresent(file: number, first: number, end: number): { start: number; end: number } {
    const last = Math.min(end, this.#pages[file] as number);
    for (let page = first; page < last; page += 1) {
      const word = this.#word(file, page);
      this.#words[word] = (this.#words[word] as number) | (1 << (page & 31));
    }
    if (last <= first) return { start: 0, end: 0 };
    this.#changed[file] = 1;
    return { start: this.#word(file, first) * 4, end: (this.#word(file, last - 1) + 1) * 4 };
  }

  /** True, once, where pages came since it was last asked. */
  takeChanged(file: number): boolean {
    return Atomics.exchange(this.#changed, file, 0) === 1;
  }

  /** After what was taken as changed couldn't be made durable. */
  noteChanged(file: number): void {
    Atomics.store(this.#changed, file, 1);
  }

  /** Bytes of `shared` that hold a file's bits. */
  bitsOf(file: number): Uint8Array {
    const words = wordsFor((this.#pages[file] as number) * PAGE_BYTES);
    return new Uint8Array(this.shared, this.#starts[file], words * 4);
  }

  startOf(file: number): number {
    return this.#starts[file] as number;
  }

  pagesOf(file: number): number {
    return this.#pages[file] as number;
  }

  get files(): number {
    return this.#pages.length;
  }

  /** Bytes of all files that are here, or needn't come any more because the file was cut; whole pages. */
  presentBytes(): number {
    let pages = 0;
    for (let file = 0; file < this.files; file += 1) {
      const total = this.pagesOf(file);
      const counting = Math.min(total, Math.ceil(this.limitOf(file) / PAGE_BYTES));
      pages += total - counting;
      const first = this.#word(file, 0);
      for (let word = 0; word * 32 < counting; word += 1) {
        const left = counting - word * 32;
        const mask = left >= 32 ? -1 : (1 << left) - 1;
        pages += bitsSet((this.#words[first + word] as number) & mask);
      }
    }
    return pages * PAGE_BYTES;
  }

  #word(file: number, page: number): number {
    return ((this.#starts[file] as number) >> 2) + (page >> 5);
  }
}

/** Hacker's Delight, figure 5-2. */
function bitsSet(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  bits = (bits + (bits >>> 4)) & 0x0f0f0f0f;
  return Math.imul(bits, 0x01010101) >>> 24;
}

function wordsFor(sizeBytes: number): number {
  return Math.ceil(Math.ceil(sizeBytes / PAGE_BYTES) / 32);
}
