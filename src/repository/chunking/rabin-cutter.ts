/**
 * Cuts where restic's chunker cuts, by the polynomial of the repository: for repositories that hold snapshots of
 * restic's own, so that what either of them stored is shared by both.
 */
import { degree, remainder } from '../chunker-polynomial.ts';
import { MAX_CHUNK_BYTES, MIN_CHUNK_BYTES, WINDOW_OFFSET, windowedWasm } from './content-cutter.ts';
import type { Cutter } from './cutter.ts';

/** One cut in a MiB, behind the least size. */
const MASK = 2n ** 20n - 1n;
const WINDOW_BYTES = 64;
const REDUCTIONS_OFFSET = 2048;

type RabinExports = { findRabinCut(from: number, end: number, mask: bigint): number };

/** `polynomial`: hex, of degree 53. */
export function createRabinCutter(polynomial: string): Cutter {
  const { exports, window, tables } = windowedWasm<RabinExports>('rabin.wasm');
  writeTables(BigInt(`0x${polynomial}`), tables);
  return {
    window,
    cut(start, available, seen) {
      if (available < MIN_CHUNK_BYTES) return 0;
      const begin = WINDOW_OFFSET + start;
      const found = exports.findRabinCut(
        begin + Math.max(seen, MIN_CHUNK_BYTES),
        begin + Math.min(available, MAX_CHUNK_BYTES),
        MASK,
      );
      if (found !== 0) return found - begin;
      return available >= MAX_CHUNK_BYTES ? MAX_CHUNK_BYTES : 0;
    },
  };
}

function writeTables(polynomial: bigint, tables: Buffer): void {
  const width = BigInt(degree(polynomial));
  const append = (print: bigint, byte: bigint) => remainder((print << 8n) | byte, polynomial);
  for (let byte = 0; byte < 256; byte += 1) {
    let leaving = append(0n, BigInt(byte));
    for (let zeros = 1; zeros < WINDOW_BYTES; zeros += 1) leaving = append(leaving, 0n);
    tables.writeBigUInt64LE(leaving, byte * 8);
    const overflow = BigInt(byte) << width;
    const reduction = remainder(overflow, polynomial) | overflow;
    tables.writeBigUInt64LE(reduction, REDUCTIONS_OFFSET + byte * 8);
  }
}
