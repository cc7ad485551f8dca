import type { ContentBlock } from '../../source.ts';
import { type ContentWindow, WINDOW_BYTES } from '../base/content-window.ts';
import { firstBlockOf, PageCheck } from '../base/page-check.ts';
import type { BaseFacts } from '../facts.ts';

/** No page of a stopped server may be wrong, however young: nothing is left for replay to bring. */
const JUDGE_ALL = 2n ** 64n - 1n;

/** Holds the pages that a copy wrote against their checksums as they go by; the others were, when they were captured. */
export class BlocksCheck {
  readonly #window: ContentWindow;
  readonly #check: { pages: PageCheck; blockSizeBytes: number } | undefined;

  constructor(window: ContentWindow, facts: BaseFacts, path: string) {
    this.#window = window;
    const layout = { ...facts, startLsn: JUDGE_ALL };
    const first = facts.settings.data_checksums === 'on' ? firstBlockOf(path, layout) : undefined;
    if (first === undefined) return;
    const { blockSizeBytes } = facts;
    this.#check = { pages: new PageCheck(window, layout, first), blockSizeBytes };
  }

  /** In words; undefined where nothing is wrong with what went by. */
  get finding(): string | undefined {
    return this.#check?.pages.finding;
  }

  async *over(blocks: AsyncIterable<ContentBlock>): AsyncGenerator<ContentBlock> {
    for await (const block of blocks) {
      if (block.from === 'here') this.#take(block.bytes);
      else this.#pass(block.sizeBytes);
      yield block;
    }
  }

  #take(bytes: Buffer): void {
    if (!this.#check) return;
    for (let at = 0; at < bytes.length; at += WINDOW_BYTES) {
      const part = bytes.subarray(at, at + WINDOW_BYTES);
      for (let done = 0; done < part.length; ) done += this.#window.add(part, done);
      this.#check.pages.take(this.#window.take());
    }
  }

  #pass(sizeBytes: number): void {
    if (this.#check) this.#check.pages.skip(Math.floor(sizeBytes / this.#check.blockSizeBytes));
  }
}
