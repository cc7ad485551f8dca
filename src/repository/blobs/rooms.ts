/**
 * Memory for whole packs, used again and again while many are read: fresh memory comes with pages to be cleared, and has
 * the garbage collector come for each few packs. It is shared with the threads that verify them: what goes over and
 * comes back would count as fresh each time.
 */

import { ownBuffer } from './own-buffer.ts';

/** The pack lies at its beginning. */
export type PackMemory = ArrayBuffer | SharedArrayBuffer;

/** They come in multiples of that, so that one fits for most. What nobody wrote to takes no memory. */
const STEP_BYTES = 4 * 1024 * 1024;
/** Larger packs are rare, and their memory isn't kept. */
const MOST_BYTES = 32 * 1024 * 1024;

/** For one piece of work. */
export class Rooms {
  readonly #free: SharedArrayBuffer[] = [];
  /** For the storage that reads. */
  readonly hint = { room: (bytes: number) => this.take(bytes) };

  /** At least so many bytes, with anything in them; undefined for those of which none is kept. */
  take(bytes: number): SharedArrayBuffer | undefined {
    if (bytes > MOST_BYTES) return undefined;
    const fitting = this.#free.findIndex(({ byteLength }) => byteLength >= bytes);
    const [room] = this.#free.splice(fitting, fitting < 0 ? 0 : 1);
    return room ?? new SharedArrayBuffer(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES);
  }

  /** What a storage gave: the room that it read into, or memory of its own. */
  memoryOf(read: Buffer<ArrayBufferLike>): PackMemory {
    return read.buffer instanceof SharedArrayBuffer ? read.buffer : ownBuffer(read);
  }

  /** Nobody may look into it any more. What is no room is left alone. */
  give(memory: PackMemory): void {
    if (memory instanceof SharedArrayBuffer) this.#free.push(memory);
  }
}
