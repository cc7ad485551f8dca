import { freeNow } from '#base';

/** Small enough that packs which are half full take little more than what is in them. */
export const PIECE_BYTES = 2 * 1024 * 1024;
/** In front of all pieces, four bytes for each: whether it is in use. Whole pages of memory. */
const STATES_BYTES = 4096;
const FREE = 0;
const TAKEN = 1;

/** Gives memory for a piece of a pack, of unknown content. */
export type TakePiece = () => Buffer;

/**
 * Memory in which the threads of one session fill packs, used again when they are stored. It is shared and not handed over:
 * what changes hands counts as new memory on the other side each time, for which the garbage collector came after
 * every pack. It is one, so large that the system gives it: pieces that nobody has taken yet take nothing, also in a
 * process that has freed much before, and all goes back at once.
 */
export function createPackMemory(bytes: number): SharedArrayBuffer {
  const pieces = Math.min(Math.ceil(bytes / PIECE_BYTES), STATES_BYTES / 4);
  return new SharedArrayBuffer(STATES_BYTES + pieces * PIECE_BYTES);
}

/** A piece that is free, else memory of its own. */
export function takePiece(shared?: SharedArrayBuffer): Buffer {
  const piece = shared ? takeFree(shared) : -1;
  return shared && piece >= 0
    ? Buffer.from(shared, STATES_BYTES + piece * PIECE_BYTES, PIECE_BYTES)
    : Buffer.allocUnsafeSlow(PIECE_BYTES);
}

/** Its number; -1 where there is none. */
function takeFree(shared: SharedArrayBuffer): number {
  const pieces = (shared.byteLength - STATES_BYTES) / PIECE_BYTES;
  return new Int32Array(shared, 0, pieces).findIndex(
    (_, piece, states) => Atomics.compareExchange(states, piece, FREE, TAKEN) === FREE,
  );
}

/** By whoever is done with a pack's bytes, in any thread: they may be another's from now on. */
export function giveBackPack(parts: readonly Uint8Array[]): void {
  for (const { buffer, byteOffset } of parts) {
    if (buffer instanceof SharedArrayBuffer) {
      const piece = Math.floor((byteOffset - STATES_BYTES) / PIECE_BYTES);
      Atomics.store(new Int32Array(buffer, 0, piece + 1), piece, FREE);
    } else freeNow(buffer);
  }
}
