/** Where a body of data is cut into chunks: one interface, whatever decides. */
import type { Chunking } from '../writer/writer.ts';
import { createContentCutter } from './content-cutter.ts';
import type { Cutting } from './cutting.ts';
import { createRabinCutter } from './rabin-cutter.ts';

export interface Cutter {
  /** The memory in which the bytes must lie that are to be cut. Larger than the longest chunk. */
  readonly window: Buffer;
  /**
   * Length of the chunk that begins at `start` of the window, where it ends within the `available` bytes; else 0.
   * `seen`: so many of them were available at the call before, for the same chunk. A pure function of the bytes.
   */
  cut(start: number, available: number, seen: number): number;
}

/**
 * `polynomial`: the repository's own; it makes cuts differ from repository to repository, so that sizes of chunks tell
 * nothing.
 */
export function createCutter(
  chunking: Chunking,
  polynomial: string,
  style: Cutting['style'] = 'gear',
): Cutter {
  if (chunking.kind === 'fixed') return createFixedCutter(chunking.sizeBytes);
  return style === 'rabin' ? createRabinCutter(polynomial) : createContentCutter(polynomial);
}

const LEAST_WINDOW_BYTES = 4 * 1024 * 1024;

function createFixedCutter(sizeBytes: number): Cutter {
  return {
    window: Buffer.allocUnsafeSlow(Math.max(2 * sizeBytes, LEAST_WINDOW_BYTES)),
    cut: (_start, available) => (available >= sizeBytes ? sizeBytes : 0),
  };
}
