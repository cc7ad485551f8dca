/**
 * What was found out at some cost and may be forgotten at any time, in the cache of this machine whatever the storage.
 * Sealed with the repository's key and bound to their names: who may write there can lose them, but make none up.
 */
import { isHoldfastError } from '#base';
import type { Sealer } from '../crypto/sealer.ts';
import type { Cache } from './cache.ts';

const LENGTH_BYTES = 2;

export class SealedNotes {
  readonly #cache: Pick<Cache, 'read' | 'write'>;
  readonly #sealer: Sealer;

  constructor(cache: Pick<Cache, 'read' | 'write'>, sealer: Sealer) {
    this.#cache = cache;
    this.#sealer = sealer;
  }

  /** Undefined where there is none of this name, or none that is whole and ours. */
  async read(name: string): Promise<Buffer | undefined> {
    const sealed = await this.#cache.read(name);
    if (!sealed) return undefined;
    try {
      const plain = this.#sealer.open(sealed);
      const begin = beginOf(name);
      const isIt = plain.subarray(0, begin.length).equals(begin);
      return isIt ? plain.subarray(begin.length) : undefined;
    } catch (error) {
      if (isHoldfastError(error, 'repository/not-authentic')) return undefined;
      throw error;
    }
  }

  /** Replaces it. Where nothing can be kept, nothing is said. */
  async write(name: string, content: readonly Uint8Array[]): Promise<void> {
    await this.#cache.write(name, this.#sealer.sealParts([beginOf(name), ...content]));
  }
}

/** The name and its length before it: nothing that follows can be taken for a part of it. */
function beginOf(name: string): Buffer {
  const begin = Buffer.alloc(LENGTH_BYTES + Buffer.byteLength(name));
  begin.writeUInt16LE(begin.length - LENGTH_BYTES);
  begin.write(name, LENGTH_BYTES);
  return begin;
}
