/**
 * Where the content of each lazy file lies in the repository. Two files: `blocks` has a record of 40 bytes for each
 * block of each file (offset in the file u64, id of the blob 32 bytes), one file after another; `files` has a record of 40 bytes
 * for each file (inode u64, time of birth in ns u64, size u64, first block u64, blocks u64). Little-endian. A file is known again by its
 * inode and the time of its birth, whatever it is called by then.
 */
import fs from 'node:fs';
import path from 'node:path';
import { writeWholeSync } from '#base';

const BLOCK_RECORD = 40;
const FILE_RECORD = 40;
const ID_BYTES = 32;
const WRITE_BYTES = 1024 * 1024;

export type LazyFile = {
  inode: bigint;
  bornNs: bigint;
  sizeBytes: number;
  firstBlock: number;
  blocks: number;
};

export class BlockListWriter {
  readonly #folder: string;
  readonly #blocks: number;
  readonly files: LazyFile[] = [];
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #flushedBytes = 0;
  #written = 0;

  constructor(folder: string) {
    this.#folder = folder;
    this.#blocks = fs.openSync(path.join(folder, 'blocks'), 'wx', 0o600);
  }

  /** `lengths`: plain bytes of each blob of `ids`. */
  add(stat: fs.BigIntStats, ids: Buffer, lengths: readonly number[]): void {
    const records = Buffer.allocUnsafe(lengths.length * BLOCK_RECORD);
    let offset = 0;
    lengths.forEach((length, block) => {
      records.writeBigUInt64LE(BigInt(offset), block * BLOCK_RECORD);
      ids.copy(records, block * BLOCK_RECORD + 8, block * ID_BYTES, (block + 1) * ID_BYTES);
      offset += length;
    });
    this.files.push({
      inode: stat.ino,
      bornNs: stat.birthtimeNs,
      sizeBytes: offset,
      firstBlock: this.#written,
      blocks: lengths.length,
    });
    this.#written += lengths.length;
    this.#pending.push(records);
    this.#pendingBytes += records.length;
    if (this.#pendingBytes >= WRITE_BYTES) this.#flush();
  }

  /** Durable when it returns. */
  finish(): void {
    this.#flush();
    fs.fsyncSync(this.#blocks);
    fs.closeSync(this.#blocks);
    const table = Buffer.alloc(this.files.length * FILE_RECORD);
    this.files.forEach((file, index) => {
      const at = index * FILE_RECORD;
      table.writeBigUInt64LE(file.inode, at);
      table.writeBigUInt64LE(file.bornNs, at + 8);
      table.writeBigUInt64LE(BigInt(file.sizeBytes), at + 16);
      table.writeBigUInt64LE(BigInt(file.firstBlock), at + 24);
      table.writeBigUInt64LE(BigInt(file.blocks), at + 32);
    });
    const options = { mode: 0o600, flag: 'wx', flush: true };
    fs.writeFileSync(path.join(this.#folder, 'files'), table, options);
  }

  #flush(): void {
    writeWholeSync(this.#blocks, Buffer.concat(this.#pending), this.#flushedBytes);
    this.#flushedBytes += this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}

export function readLazyFiles(folder: string): LazyFile[] {
  const table = fs.readFileSync(path.join(folder, 'files'));
  return Array.from({ length: table.length / FILE_RECORD }, (_, index) => {
    const at = index * FILE_RECORD;
    return {
      inode: table.readBigUInt64LE(at),
      bornNs: table.readBigUInt64LE(at + 8),
      sizeBytes: Number(table.readBigUInt64LE(at + 16)),
      firstBlock: Number(table.readBigUInt64LE(at + 24)),
      blocks: Number(table.readBigUInt64LE(at + 32)),
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
    const { sizeBytes, blocks } = this.#files[file] as LazyFile;
    const records = this.#records(file);
    const startOf = (block: number) =>
      block < blocks ? Number(records.readBigUInt64LE(block * BLOCK_RECORD)) : sizeBytes;
    const found: Block[] = [];
    for (let block = lastNotAfter(offset, blocks, startOf); block < blocks; block += 1) {
      const start = startOf(block);
      if (start >= end) break;
      const at = block * BLOCK_RECORD + 8;
      found.push({ id: records.subarray(at, at + ID_BYTES), start, end: startOf(block + 1) });
    }
    return found;
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }

  #records(file: number): Buffer {
    const kept = this.#kept.get(file);
    if (kept) return kept;
    const { firstBlock, blocks } = this.#files[file] as LazyFile;
    const records = Buffer.allocUnsafe(blocks * BLOCK_RECORD);
    fs.readSync(this.#descriptor, records, 0, records.length, firstBlock * BLOCK_RECORD);
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
