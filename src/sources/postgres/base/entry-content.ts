import { errors } from '../errors.ts';
import { CRC32C_START, crc32cEnd } from '../wal/crc32c.ts';
import type { ContentWindow } from './content-window.ts';
import type { BackupItem } from './items.ts';
import type { PageCheck } from './page-check.ts';

/** The content of the tar member that was just begun; taken from the shared flow of items. */
export class EntryContentReader {
  readonly #items: AsyncGenerator<BackupItem>;
  readonly #window: ContentWindow;
  readonly #pages: PageCheck | undefined;
  #crc = CRC32C_START;
  #ended = false;
  sizeBytes = 0;

  constructor(
    items: AsyncGenerator<BackupItem>,
    window: ContentWindow,
    pages: PageCheck | undefined,
  ) {
    this.#items = items;
    this.#window = window;
    this.#pages = pages;
  }

  get crc32c(): number {
    return crc32cEnd(this.#crc);
  }

  get pageFinding(): string | undefined {
    return this.#pages?.finding;
  }

  async *slices(): AsyncGenerator<Buffer> {
    for (let slice = await this.#next(); slice; slice = await this.#next()) yield slice;
  }

  /** Whatever the consumer left. */
  async drain(): Promise<void> {
    while (await this.#next()) {
      // Checked, and dropped.
    }
  }

  async #next(): Promise<Buffer | undefined> {
    if (this.#ended) return undefined;
    const { value, done } = await this.#items.next();
    if (done || (value.kind !== 'content' && value.kind !== 'entry-ends')) {
      throw errors.protocolBroken(['an archive is cut short']);
    }
    if (value.kind === 'entry-ends') {
      this.#ended = true;
      return undefined;
    }
    this.#crc = this.#window.crc32c(this.#crc, value.bytes);
    this.#pages?.take(value.bytes);
    this.sizeBytes += value.bytes.length;
    return value.bytes;
  }
}
