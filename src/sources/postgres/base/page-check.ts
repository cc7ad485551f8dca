import { judgePage } from './page-checksum.ts';

/** Files of relations below `base/<db>`, `global` and a tablespace; not temporary ones. */
const RELATION_FILE =
  /^(?:base\/\d+|global|pg_tblspc\/\d+\/[^/]+\/\d+)\/\d+(?:_(?:fsm|vm|init))?(?:\.(\d+))?$/;
/** More bad pages of one file than this aren't named, only counted. */
const MOST_NAMED = 16;

export type PageLayout = {
  blockSizeBytes: number;
  /** Bytes after which a relation goes on in its next file. */
  segmentFileBytes: number;
  /** Pages changed since are brought by WAL replay. */
  startLsn: bigint;
};

/** Where the blocks of this file begin to count, or undefined where it isn't made of checksummed pages. */
export function firstBlockOf(path: string, layout: PageLayout): number | undefined {
  const match = RELATION_FILE.exec(path);
  if (!match) return undefined;
  return Number(match[1] ?? 0) * (layout.segmentFileBytes / layout.blockSizeBytes);
}

/** Checks the pages of one file as its bytes go by, in slices of any size. */
export class PageCheck {
  readonly #blockBytes: number;
  readonly #startHigh: number;
  readonly #startLow: number;
  readonly #joined: Buffer;
  readonly #joinedWords: Int32Array;
  #joinedFill = 0;
  #block: number;
  #badBlocks: number[] = [];
  #badCount = 0;

  constructor(layout: PageLayout, firstBlock: number) {
    this.#blockBytes = layout.blockSizeBytes;
    this.#startHigh = Number(layout.startLsn >> 32n);
    this.#startLow = Number(layout.startLsn & 0xffffffffn);
    const room = new ArrayBuffer(layout.blockSizeBytes);
    this.#joined = Buffer.from(room);
    this.#joinedWords = new Int32Array(room);
    this.#block = firstBlock;
  }

  take(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      const left = bytes.length - at;
      if (this.#joinedFill === 0 && left >= this.#blockBytes && (bytes.byteOffset + at) % 4 === 0) {
        at += this.#takeWhole(bytes, at, Math.floor(left / this.#blockBytes));
        continue;
      }
      const taken = bytes.copy(this.#joined, this.#joinedFill, at);
      at += taken;
      this.#joinedFill += taken;
      if (this.#joinedFill === this.#blockBytes) {
        this.#joinedFill = 0;
        this.#judge(this.#joinedWords, 0);
      }
    }
  }

  #takeWhole(bytes: Buffer, from: number, pages: number): number {
    const pageWords = this.#blockBytes / 4;
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + from, pages * pageWords);
    for (let at = 0; at < words.length; at += pageWords) this.#judge(words, at);
    return pages * this.#blockBytes;
  }

  /** What is wrong with the file's pages, in words; undefined where nothing is. */
  get finding(): string | undefined {
    if (this.#badCount === 0) return undefined;
    const more = this.#badCount - this.#badBlocks.length;
    const blocks = `${this.#badBlocks.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
    return `page checksum wrong in block ${blocks}: the page is damaged on production's disk, or was read while being written`;
  }

  #judge(words: Int32Array, at: number): void {
    const page = { words, at, lengthWords: this.#blockBytes / 4 };
    if (judgePage(page, this.#block, this.#startHigh, this.#startLow) === 'bad') {
      this.#badCount += 1;
      if (this.#badBlocks.length < MOST_NAMED) this.#badBlocks.push(this.#block);
    }
    this.#block += 1;
  }
}
