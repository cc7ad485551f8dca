import { errors } from '../errors.ts';
import { CRC32C_START, crc32cEnd, crc32cUpdate } from '../wal/crc32c.ts';
import type { BackupItem } from './items.ts';
import type { PageCheck } from './page-check.ts';

/** The content of the tar member that was just begun; taken from the shared flow of items. */
export class EntryContentReader {
  readonly #items: AsyncGenerator<BackupItem>;
  readonly #pages: PageCheck | undefined;
  #crc = CRC32C_START;
  #ended = false;
  sizeBytes = 0;

  constructor(items: AsyncGenerator<BackupItem>, pages: PageCheck | undefined) {
    this.#items = items;
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
    this.#crc = crc32cUpdate(this.#crc, value.bytes, 0, value.bytes.length);
    this.#pages?.take(value.bytes);
    this.sizeBytes += value.bytes.length;
    return value.bytes;
  }
}
