/** Sums of products of whole sectors, in memory of its own; synchronous, for worker threads. */
import fs from 'node:fs';
import { coefficient, multiply } from './galois.ts';
import { columnOf, type ParityLayout, stripeOf } from './layout.ts';

const PAGE_BYTES = 64 * 1024;
const PRODUCTS_BYTES = 256 * 32;
/** Coefficients of one column lie between the products and the sectors. */
const COEFFICIENTS_AT = PRODUCTS_BYTES;
const SOURCE_AT = PRODUCTS_BYTES + 256;
/** Bytes that are copied in at once: they stay within the processor's cache. */
const SOURCE_BYTES = 256 * 1024;
const SUMS_AT = PAGE_BYTES + SOURCE_BYTES;

type SumExports = {
  memory: { buffer: ArrayBuffer; grow(pages: number): number };
  addProducts(
    target: number,
    stride: number,
    rows: number,
    source: number,
    length: number,
    coefficients: number,
  ): void;
};

export class ReedSolomon {
  readonly #wasm: SumExports;
  #memory: Buffer;

  constructor() {
    const file = fs.readFileSync(new URL(import.meta.resolve('#asset/parity/reed-solomon.wasm')));
    const module = new WebAssembly.Module(file);
    this.#wasm = new WebAssembly.Instance(module).exports as unknown as SumExports;
    this.#memory = this.#roomFor(SUMS_AT);
    for (let factor = 0; factor < 256; factor += 1) {
      for (let half = 0; half < 16; half += 1) {
        this.#memory[factor * 32 + half] = multiply(factor, half);
        this.#memory[factor * 32 + 16 + half] = multiply(factor, half << 4);
      }
    }
  }

  /**
   * The parity of each stripe, its rows one after another: a view that holds until the next call. What `parts` (one
   * after another) have less than the layout says counts as zeros.
   */
  parityOf(layout: ParityLayout, parts: readonly Uint8Array[]): Buffer {
    const { sectorBytes, stripes, rows } = layout;
    const parityBytes = stripes * rows * sectorBytes;
    this.#memory = this.#roomFor(SUMS_AT + parityBytes);
    const sums = this.#memory.subarray(SUMS_AT, SUMS_AT + parityBytes);
    sums.fill(0);
    const sectorsAtOnce = Math.floor(SOURCE_BYTES / sectorBytes);
    const pieces = new Pieces(parts);
    for (let first = 0; first < layout.sectors; first += sectorsAtOnce) {
      const count = Math.min(sectorsAtOnce, layout.sectors - first);
      pieces.copyNext(this.#memory.subarray(SOURCE_AT, SOURCE_AT + count * sectorBytes));
      for (let i = 0; i < count; i += 1) {
        const sector = first + i;
        this.#setCoefficients(rows, (row) => coefficient(row, columnOf(layout, sector)));
        const target = SUMS_AT + stripeOf(layout, sector) * rows * sectorBytes;
        this.#add(target, sectorBytes, rows, SOURCE_AT + i * sectorBytes);
      }
    }
    return sums;
  }

  /** The sums of the vectors (of one length) with these factors, one a row of the matrix: memory of its own. */
  combine(matrix: readonly Uint8Array[], vectors: readonly Uint8Array[]): Buffer {
    const length = vectors[0]?.length ?? 0;
    const rows = matrix.length;
    this.#memory = this.#roomFor(SUMS_AT + rows * length);
    const sums = this.#memory.subarray(SUMS_AT, SUMS_AT + rows * length);
    sums.fill(0);
    vectors.forEach((vector, column) => {
      this.#memory.set(vector, SOURCE_AT);
      this.#setCoefficients(rows, (row) => matrix[row]?.[column] as number);
      this.#add(SUMS_AT, length, rows, SOURCE_AT);
    });
    return Buffer.from(sums);
  }

  #setCoefficients(rows: number, factor: (row: number) => number): void {
    for (let row = 0; row < rows; row += 1) this.#memory[COEFFICIENTS_AT + row] = factor(row);
  }

  #add(target: number, length: number, rows: number, source: number): void {
    this.#wasm.addProducts(target, length, rows, source, length, COEFFICIENTS_AT);
  }

  #roomFor(bytes: number): Buffer {
    const { memory } = this.#wasm;
    const missing = bytes - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
    return Buffer.from(memory.buffer);
  }
}

/** Bytes of several parts in a row. */
class Pieces {
  readonly #parts: readonly Uint8Array[];
  #part = 0;
  #offset = 0;

  constructor(parts: readonly Uint8Array[]) {
    this.#parts = parts;
  }

  /** Fills the target, with zeros behind the end. */
  copyNext(target: Buffer): void {
    let filled = 0;
    while (filled < target.length) {
      const part = this.#parts[this.#part];
      if (!part) break;
      const piece = part.subarray(this.#offset, this.#offset + target.length - filled);
      target.set(piece, filled);
      filled += piece.length;
      this.#offset += piece.length;
      if (this.#offset === part.length) {
        this.#part += 1;
        this.#offset = 0;
      }
    }
    target.fill(0, filled);
  }
}
