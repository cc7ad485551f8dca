/** Trees that will be needed soon, read several at a time, so that each pack is asked once for all that it holds. */
import { HoldfastError } from '#base';
import { errors } from '../errors.ts';
import type { Repository } from '../repository.ts';

export type TreeReader = Pick<Repository, 'index' | 'readBlobs'>;

const MAX_TREES = 64;
/** Plain bytes of trees that were read and aren't taken yet; a single larger one is still read. */
const MAX_HELD_BYTES = 24 * 1024 * 1024;

export class TreesAhead {
  readonly #reader: TreeReader;
  readonly #signal: AbortSignal | undefined;
  readonly #held = new Map<string, Buffer | HoldfastError>();
  #heldBytes = 0;

  constructor(reader: TreeReader, signal?: AbortSignal) {
    this.#reader = reader;
    this.#signal = signal;
  }

  /** The bytes of a tree (hex id); `following` are those that are likely to come next. Throws what is wrong with it. */
  async take(id: string, following: Iterable<string> = []): Promise<Buffer> {
    const held = this.#held.get(id) ?? (await this.#read(id, following));
    this.#held.delete(id);
    if (!(held instanceof Buffer)) throw held;
    this.#heldBytes -= held.length;
    return held;
  }

  async #read(id: string, following: Iterable<string>): Promise<Buffer | HoldfastError> {
    const ids = this.#batch(id, following);
    await this.#reader.readBlobs(
      'tree',
      Buffer.concat(ids),
      // Most are valid only until this returns.
      (found, bytes, isOwn) =>
        this.#hold(found.toString('hex'), isOwn ? bytes : Buffer.from(bytes)),
      {
        ...(this.#signal && { signal: this.#signal }),
        onDamaged: (lost, error) => this.#hold(lost.toString('hex'), known(lost, error)),
      },
    );
    return this.#held.get(id) ?? errors.blobMissing(['tree', id]);
  }

  #batch(id: string, following: Iterable<string>): Buffer[] {
    const ids = [Buffer.from(id, 'hex')];
    let bytes = this.#heldBytes + this.#lengthOf(ids[0] as Buffer);
    for (const next of following) {
      if (ids.length >= MAX_TREES || bytes >= MAX_HELD_BYTES) break;
      const nextId = Buffer.from(next, 'hex');
      if (next === id || this.#held.has(next)) continue;
      bytes += this.#lengthOf(nextId);
      if (bytes <= MAX_HELD_BYTES) ids.push(nextId);
    }
    return ids;
  }

  #lengthOf(id: Buffer): number {
    return this.#reader.index.lookup('tree', id)?.plainLength ?? 0;
  }

  #hold(id: string, tree: Buffer | HoldfastError): void {
    if (this.#held.has(id)) return;
    this.#held.set(id, tree);
    if (tree instanceof Buffer) this.#heldBytes += tree.length;
  }
}

function known(id: Buffer, error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  return errors.treeDamaged([`blob ${id.toString('hex')}`], { cause: error });
}
