import type { ContentWindow } from './content-window.ts';

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

/** Checks the pages of one file as its bytes go by: each slice but the last one of whole pages. */
export class PageCheck {
  readonly #window: ContentWindow;
  readonly #layout: PageLayout;
  #block: number;
  #badBlocks: number[] = [];
  #badCount = 0;

  constructor(window: ContentWindow, layout: PageLayout, firstBlock: number) {
    this.#window = window;
    this.#layout = layout;
    this.#block = firstBlock;
  }

  /** `slice`: taken from the window. */
  take(slice: Buffer): void {
    const { blockSizeBytes, startLsn } = this.#layout;
    const pages = { blockSizeBytes, startLsn, firstBlock: this.#block };
    for (const block of this.#window.badPages(slice, pages)) {
      this.#badCount += 1;
      if (this.#badBlocks.length < MOST_NAMED) this.#badBlocks.push(block);
    }
    this.#block += Math.floor(slice.length / blockSizeBytes);
  }

  /** So many pages weren't looked at. */
  skip(pages: number): void {
    this.#block += pages;
  }

  /** What is wrong with the file's pages, in words; undefined where nothing is. */
  get finding(): string | undefined {
    return pageFinding(this.#badBlocks, this.#badCount);
  }
}

/** `count`: of all bad blocks, the first of which are named. Undefined where there is none. */
export function pageFinding(blocks: readonly number[], count: number): string | undefined {
  if (count === 0) return undefined;
  const named = blocks.slice(0, MOST_NAMED);
  const more = count - named.length;
  const text = `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  return `page checksum wrong in block ${text}: the page is damaged on production's disk, or was read while being written`;
}
