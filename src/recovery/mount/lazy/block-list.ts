/**
 * Where the content of each lazy file lies in the repository. Two files: `blocks` tells of each block of each file, one
 * file after another: the id of its blob (32 bytes) where all blocks of the file but the last are of one size, else its
 * offset in the file (u64) and the id. `files` has a record of 48 bytes for each file (inode u64, time of birth in ns
 * u64, size u64, where in `blocks` it begins u64, blocks u64, bytes of a block u64, 0 where they differ).
 * Little-endian. A file is known again by its inode and the time of its birth, whatever it is called by then.
 */
import fs from 'node:fs';
import path from 'node:path';
import { writeWholeSync } from '#base';

const ID_BYTES = 32;
const BLOCK_RECORD = 8 + ID_BYTES;
const FILE_RECORD = 48;
const WRITE_BYTES = 1024 * 1024;

export type LazyFile = {
  inode: bigint;
  bornNs: bigint;
  sizeBytes: number;
  /** Where in `blocks` it begins. */
  place: number;
  blocks: number;
  /** Of every block but the last; 0 where they differ. */
  blockBytes: number;
};

/** How a file was cut: into blocks of one size, or into such of these lengths. */
export type Cut = { sizeBytes: number; blockBytes: number } | { lengths: readonly number[] };

export class BlockListWriter {
  readonly #folder: string;
  readonly #blocks: number;
  readonly files: LazyFile[] = [];
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #flushedBytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
    this.#blocks = fs.openSync(path.join(folder, 'blocks'), 'wx', 0o600);
  }

  /** `ids`: of its blobs, 32 bytes each. They are kept until the next call. */
  add(stat: fs.BigIntStats, ids: Buffer, cut: Cut): void {
    const isEven = 'blockBytes' in cut;
    const records = isEven ? ids : recordsOf(ids, cut.lengths);
    this.files.push({
      inode: stat.ino,
      bornNs: stat.birthtimeNs,
      sizeBytes: isEven ? cut.sizeBytes : sumOf(cut.lengths),
      place: this.#flushedBytes + this.#pendingBytes,
      blocks: ids.length / ID_BYTES,
      blockBytes: isEven ? cut.blockBytes : 0,
    });
    this.#pending.push(records);
    this.#pendingBytes += records.length;
    if (this.#pendingBytes >= WRITE_BYTES) this.#flush();
  }

  finish(): void {
    this.#flush();
    fs.closeSync(this.#blocks);
    const table = Buffer.alloc(this.files.length * FILE_RECORD);
    this.files.forEach((file, index) => {
      const at = index * FILE_RECORD;
      table.writeBigUInt64LE(file.inode, at);
      table.writeBigUInt64LE(file.bornNs, at + 8);
      table.writeBigUInt64LE(BigInt(file.sizeBytes), at + 16);
      table.writeBigUInt64LE(BigInt(file.place), at + 24);
      table.writeBigUInt64LE(BigInt(file.blocks), at + 32);
      table.writeBigUInt64LE(BigInt(file.blockBytes), at + 40);
    });
    const options = { mode: 0o600, flag: 'wx' };
    fs.writeFileSync(path.join(this.#folder, 'files'), table, options);
  }

  #flush(): void {
    writeWholeSync(this.#blocks, Buffer.concat(this.#pending), this.#flushedBytes);
    this.#flushedBytes += this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}

function recordsOf(ids: Buffer, lengths: readonly number[]): Buffer {
  const records = Buffer.allocUnsafe(lengths.length * BLOCK_RECORD);
  let offset = 0;
  lengths.forEach((length, block) => {
    records.writeBigUInt64LE(BigInt(offset), block * BLOCK_RECORD);
    ids.copy(records, block * BLOCK_RECORD + 8, block * ID_BYTES, (block + 1) * ID_BYTES);
    offset += length;
  });
  return records;
}

function sumOf(lengths: readonly number[]): number {
  return lengths.reduce((sum, length) => sum + length, 0);
}

export function readLazyFiles(folder: string): LazyFile[] {
  const table = fs.readFileSync(path.join(folder, 'files'));
  return Array.from({ length: table.length / FILE_RECORD }, (_, index) => {
    const at = index * FILE_RECORD;
    return {
      inode: table.readBigUInt64LE(at),
      bornNs: table.readBigUInt64LE(at + 8),
      sizeBytes: Number(table.readBigUInt64LE(at + 16)),
      place: Number(table.readBigUInt64LE(at + 24)),
      blocks: Number(table.readBigUInt64LE(at + 32)),
      blockBytes: Number(table.readBigUInt64LE(at + 40)),
    };
  });
}

/** One block of a file: `end` is the offset behind it. */
export type Block = { id: Buffer; start: number; end: number };

/** Blocks of files, read from disk when they are asked for; those of a few files are kept. */
export class BlockList {
  readonly #descriptor: number;
  readonly #files: readonly LazyFile[];
  readonly #kept = new Map<number, Buffer>();

  constructor(folder: string, files: readonly LazyFile[]) {
    this.#descriptor = fs.openSync(path.join(folder, 'blocks'), 'r');
    this.#files = files;
  }

  /** Those that overlap the range, in order. */
  blocksOf(file: number, offset: number, end: number): Block[] {
    const { sizeBytes, blocks, blockBytes } = this.#files[file] as LazyFile;
    const records = this.#records(file);
    const recordBytes = blockBytes > 0 ? ID_BYTES : BLOCK_RECORD;
    const startOf = (block: number) => {
      if (block >= blocks) return sizeBytes;
      if (blockBytes > 0) return block * blockBytes;
      return Number(records.readBigUInt64LE(block * BLOCK_RECORD));
    };
    const found: Block[] = [];
    for (let block = lastNotAfter(offset, blocks, startOf); block < blocks; block += 1) {
      const start = startOf(block);
      if (start >= end) break;
      const idEnd = (block + 1) * recordBytes;
      const id = records.subarray(idEnd - ID_BYTES, idEnd);
      found.push({ id, start, end: startOf(block + 1) });
    }
    return found;
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }

  #records(file: number): Buffer {
    const kept = this.#kept.get(file);
    if (kept) return kept;
    const { place, blocks, blockBytes } = this.#files[file] as LazyFile;
    const records = Buffer.allocUnsafe(blocks * (blockBytes > 0 ? ID_BYTES : BLOCK_RECORD));
    fs.readSync(this.#descriptor, records, 0, records.length, place);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size < KEPT_FILES) break;
      this.#kept.delete(oldest);
    }
    this.#kept.set(file, records);
    return records;
  }
}

const KEPT_FILES = 256;

function lastNotAfter(offset: number, blocks: number, startOf: (block: number) => number): number {
  let low = 0;
  let high = blocks;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (startOf(middle) <= offset) low = middle;
    else high = middle;
  }
  return low;
}
