import { freeNow } from '#base';

/**
 * Small enough that packs which are half full take little more than what is in them, and so large that it goes back to
 * the system when it is freed; see `returnLargeMemory`.
 */
export const PIECE_BYTES = 2 * 1024 * 1024;
/** At the front of each piece: whether it is in use. As much as a line of the processor's cache. */
const STATE_BYTES = 64;
const FREE = 0;
const TAKEN = 1;

/** Gives memory for a piece of a pack, of unknown content. */
export type TakePiece = () => Buffer;

/**
 * Memory in which the threads of one session fill packs, used again when they are stored. It is shared and not handed over:
 * what changes hands counts as new memory on the other side each time, for which the garbage collector came after
 * every pack. Pieces that nobody has taken yet take nothing.
 */
export function createPackMemory(bytes: number): SharedArrayBuffer[] {
  const pieces = Math.ceil(bytes / PIECE_BYTES);
  return Array.from({ length: pieces }, () => new SharedArrayBuffer(STATE_BYTES + PIECE_BYTES));
}

/** A piece that is free, else memory of its own. */
export function takePiece(shared: readonly SharedArrayBuffer[] = []): Buffer {
  const free = shared.find(
    (piece) => Atomics.compareExchange(stateOf(piece), 0, FREE, TAKEN) === FREE,
  );
  return free ? Buffer.from(free, STATE_BYTES) : Buffer.allocUnsafeSlow(PIECE_BYTES);
}

/** By whoever is done with a pack's bytes, in any thread: they may be another's from now on. */
export function giveBackPack(parts: readonly Uint8Array[]): void {
  for (const { buffer } of parts) {
    if (buffer instanceof SharedArrayBuffer) Atomics.store(stateOf(buffer), 0, FREE);
    else freeNow(buffer);
  }
}

function stateOf(piece: SharedArrayBuffer): Int32Array {
  return new Int32Array(piece, 0, 1);
}
