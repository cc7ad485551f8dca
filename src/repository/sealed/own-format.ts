/**
 * `holdfast/format`: the least versions of Holdfast's own format that a reader and a writer must know. Nothing opens
 * without it, so that it has a second copy.
 */
import { HoldfastError, isHoldfastError } from '#base';
import { copyName, isAbsence } from '../copies/second-copies.ts';
import type { Sealer } from '../crypto/sealer.ts';
import { errors } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { openSealed, readSealed, writeSealed } from './sealed-files.ts';

const NAME = 'format';
export const FORMAT_NAME = `holdfast/${NAME}`;
const KNOWN_VERSION = 1;

export class OwnFormat {
  readonly #storage: Storage;
  readonly #sealer: Sealer;
  #leastWriter: number | undefined;
  #writing: Promise<void> | undefined;

  constructor(storage: Storage, sealer: Sealer) {
    this.#storage = storage;
    this.#sealer = sealer;
  }

  /** At opening. Throws `repository/newer-format` where this Holdfast is too old to read. */
  async check(): Promise<void> {
    let json: { reader?: unknown; writer?: unknown };
    try {
      const bytes = await this.#readEither();
      json = JSON.parse(bytes.toString('utf8'));
    } catch (error) {
      if (isHoldfastError(error, 'repository/not-in-storage')) return;
      throw error;
    }
    if (typeof json.reader !== 'number' || typeof json.writer !== 'number') {
      throw errors.fileDamaged([`holdfast/${NAME}`, 'it names no versions']);
    }
    if (json.reader > KNOWN_VERSION) throw this.#tooNew(json.reader);
    this.#leastWriter = json.writer;
  }

  /** Before a file of ours is written: the first one is preceded by the format. */
  async prepareWrite(): Promise<void> {
    if (this.#leastWriter === undefined) {
      this.#writing ??= this.#write();
      await this.#writing;
    } else if (this.#leastWriter > KNOWN_VERSION) throw this.#tooNew(this.#leastWriter);
  }

  /** The original's error where neither is whole. */
  async #readEither(): Promise<Buffer> {
    try {
      return await readSealed(this.#storage, this.#sealer, NAME);
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.retryable) throw error;
      const copy = await this.#readCopy();
      if (!copy) throw error;
      return copy;
    }
  }

  async #readCopy(): Promise<Buffer | undefined> {
    try {
      return openSealed(this.#sealer, NAME, await this.#storage.read(copyName(FORMAT_NAME)));
    } catch (error) {
      if (isAbsence(error) || isHoldfastError(error, 'repository/file-damaged')) return undefined;
      throw error;
    }
  }

  async #write(): Promise<void> {
    try {
      const json = JSON.stringify({ reader: KNOWN_VERSION, writer: KNOWN_VERSION });
      await writeSealed(this.#storage, this.#sealer, NAME, Buffer.from(json));
      await this.#storage.write(copyName(FORMAT_NAME), [await this.#storage.read(FORMAT_NAME)]);
      this.#leastWriter = KNOWN_VERSION;
    } finally {
      // What failed once may be tried again by the next writer.
      this.#writing = undefined;
    }
  }

  #tooNew(version: number) {
    return errors.newerFormat([this.#storage.location, version, KNOWN_VERSION]);
  }
}
