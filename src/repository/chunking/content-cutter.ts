/**
 * Content-defined cutting (FastCDC): an insertion moves the cuts with the bytes, so that what follows is shared with
 * the version before. Bounds are those of restic, so that small files are one chunk in both and are shared.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import type { Cutter } from './cutter.ts';

const KIB = 1024;
export const MIN_CHUNK_BYTES = 512 * KIB;
export const MAX_CHUNK_BYTES = 8192 * KIB;
/** Up to here cuts are rarer, from here on more frequent than one in a MiB. */
const NORMAL_CHUNK_BYTES = 1024 * KIB;
/** High bits: those that the whole window of 64 bytes has reached. */
const STRICT_MASK = (2n ** 22n - 1n) << 42n;
const LOOSE_MASK = (2n ** 19n - 1n) << 45n;

const WASM_PAGE_BYTES = 64 * KIB;
/** Below it lies the gear table; a page of its own keeps the window aligned. */
export const WINDOW_OFFSET = WASM_PAGE_BYTES;
const WINDOW_BYTES = 2 * MAX_CHUNK_BYTES;

type GearExports = {
  findCut(
    start: number,
    from: number,
    end: number,
    normal: number,
    strictMask: bigint,
    looseMask: bigint,
  ): number;
};

export function createContentCutter(secret: string): Cutter {
  const { exports: gear, window, tables } = windowedWasm<GearExports>('gear.wasm');
  tables.set(gearTable(secret));
  return {
    window,
    cut(start, available, seen) {
      if (available <= MIN_CHUNK_BYTES) return 0;
      const found = gear.findCut(
        WINDOW_OFFSET + start,
        WINDOW_OFFSET + start + Math.max(seen, MIN_CHUNK_BYTES),
        WINDOW_OFFSET + start + Math.min(available, MAX_CHUNK_BYTES),
        NORMAL_CHUNK_BYTES,
        STRICT_MASK,
        LOOSE_MASK,
      );
      if (found !== 0) return found - WINDOW_OFFSET - start;
      return available >= MAX_CHUNK_BYTES ? MAX_CHUNK_BYTES : 0;
    },
  };
}

/** An instance of the module with the window in its memory, and below it a page for tables. */
export function windowedWasm<Exports>(file: string): {
  exports: Exports;
  window: Buffer;
  tables: Buffer;
} {
  const wasm = fs.readFileSync(new URL(import.meta.resolve(`#asset/chunking/${file}`)));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm));
  const memory = exports.memory as { buffer: ArrayBuffer; grow(pages: number): number };
  memory.grow((WINDOW_OFFSET + WINDOW_BYTES - memory.buffer.byteLength) / WASM_PAGE_BYTES);
  return {
    exports: exports as Exports,
    window: Buffer.from(memory.buffer, WINDOW_OFFSET, WINDOW_BYTES),
    tables: Buffer.from(memory.buffer, 0, WINDOW_OFFSET),
  };
}

/** 256 pseudo-random 64-bit values that follow from the secret: the same cuts in every session. */
function gearTable(secret: string): Buffer {
  const blocks: Buffer[] = [];
  for (let block = 0; block < 64; block += 1) {
    blocks.push(createHash('sha256').update(`holdfast gear table\n${secret}\n${block}`).digest());
  }
  return Buffer.concat(blocks);
}
