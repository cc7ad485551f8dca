/** The files of one plan while pieces of blobs are written into them. Synchronous: for worker threads and little work. */
import fs from 'node:fs';
import {
  type ApplyOptions,
  applyMetadataToOpen,
  FileHoles,
  type MetadataFailure,
  openBeneath,
} from '#base';
import { isAllZero, partsToWrite } from './holes.ts';
import type { ListedFiles } from './planned-files.ts';

const { O_RDWR, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
const FLAGS = {
  create: O_WRONLY | O_NOFOLLOW | O_CREAT | O_EXCL,
  write: O_WRONLY | O_NOFOLLOW,
  update: O_RDWR | O_NOFOLLOW,
} as const;
const BUILDING_PERMISSIONS = 0o600;

const MAX_OPEN = 64;
/** What is compared, and written where it differs. */
const BLOCK_BYTES = 64 * 1024;

type OpenFile = {
  handle: number;
  endBytes: number;
  /** Of a file that was there before, and from where on they can be asked for. */
  holes?: { all: FileHoles; from: number; sizeBytes: number };
};

/** All methods throw system errors. */
export class PlacedFiles {
  readonly #files: ListedFiles;
  readonly #root: number | undefined;
  readonly #created: boolean[] = [];
  readonly #open = new Map<number, OpenFile>();
  /** For files that are brought up to date alone: most plans have none, and there are thousands of plans. */
  #read: Buffer | undefined;
  writtenBytes = 0;

  /** `root`: see `PlacingPlan`. */
  constructor(files: ListedFiles, root?: number) {
    this.#files = files;
    this.#root = root;
  }

  write(file: number, bytes: Buffer, offset: number): void {
    const open = this.#opened(file);
    if (this.#files.how(file) === 'update') this.#update(open, bytes, offset);
    else {
      for (const { start, end } of partsToWrite(bytes, offset)) {
        this.#writeAll(open.handle, bytes.subarray(start, end), offset + start);
        open.endBytes = Math.max(open.endBytes, offset + end);
      }
    }
  }

  /** Zeros: a new file is only made, and one that was there before is only written where it isn't a hole already. */
  leaveHole(file: number, zeros: Buffer, offset: number): void {
    const open = this.#opened(file);
    if (this.#files.how(file) !== 'update' || isHole(open, offset, zeros.length)) return;
    this.#update(open, zeros, offset);
  }

  /** Gives a file that holds everything its size and metadata, and closes it. */
  finish(file: number, owner: ApplyOptions['owner']): MetadataFailure[] {
    const { handle, endBytes } = this.#opened(file);
    try {
      const sizeBytes = this.#files.sizeBytes(file);
      if (endBytes !== sizeBytes) fs.ftruncateSync(handle, sizeBytes);
      return applyMetadataToOpen(handle, this.#files.metadata(file), { owner });
    } finally {
      this.close(file);
    }
  }

  close(file: number): void {
    const open = this.#open.get(file);
    this.#open.delete(file);
    if (open) fs.closeSync(open.handle);
  }

  closeAll(): void {
    for (const file of [...this.#open.keys()]) this.close(file);
  }

  #opened(file: number): OpenFile {
    const known = this.#open.get(file);
    if (known) return known;
    const how = this.#files.how(file);
    const [oldest] = this.#open.keys();
    if (this.#open.size >= MAX_OPEN && oldest !== undefined) this.close(oldest);
    const flags = how === 'create' && this.#created[file] ? FLAGS.write : FLAGS[how];
    const handle = openPlaced(this.#root, this.#files.path(file), flags);
    // Where it ends is known only of a file that this plan makes, and only while it stays open.
    const endBytes = how === 'create' && !this.#created[file] ? 0 : -1;
    this.#created[file] = true;
    const open = { handle, endBytes };
    this.#open.set(file, open);
    return open;
  }

  #update(open: OpenFile, bytes: Buffer, offset: number): void {
    const { handle } = open;
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      const block = bytes.subarray(at, at + BLOCK_BYTES);
      if (isAllZero(block) && isHole(open, offset + at, block.length)) continue;
      const there = this.#readAt(handle, block.length, offset + at);
      if (!there.equals(block)) this.#writeAll(handle, block, offset + at);
    }
  }

  /** Less where the file ends before. */
  #readAt(handle: number, length: number, offset: number): Buffer {
    this.#read ??= Buffer.allocUnsafe(BLOCK_BYTES);
    let done = 0;
    while (done < length) {
      const read = fs.readSync(handle, this.#read, done, length - done, offset + done);
      if (read === 0) break;
      done += read;
    }
    return this.#read.subarray(0, done);
  }

  #writeAll(handle: number, bytes: Buffer, offset: number): void {
    for (let done = 0; done < bytes.length; ) {
      done += fs.writeSync(handle, bytes, done, bytes.length - done, offset + done);
    }
    this.writtenBytes += bytes.length;
  }
}

/** True also behind the end of the file: it gets its size when it is finished, and nothing needs to lie there. */
function isHole(open: OpenFile, offset: number, length: number): boolean {
  // What is asked for twice was written in between by nobody else: places of one file lie apart.
  if (!open.holes || offset < open.holes.from) {
    const { size } = fs.fstatSync(open.handle);
    open.holes = { all: new FileHoles(open.handle, size), from: offset, sizeBytes: size };
  }
  const { all, sizeBytes } = open.holes;
  open.holes.from = offset;
  return offset >= sizeBytes || all.endAt(offset) >= Math.min(offset + length, sizeBytes);
}

/**
 * Never follows a link, and never opens for change what has further names: whoever may write beside it could have put
 * a file from elsewhere there. Throws system errors.
 */
export function openPlaced(root: number | undefined, path: Buffer, flags: number): number {
  const handle =
    root === undefined
      ? fs.openSync(path, flags | O_NOFOLLOW, BUILDING_PERMISSIONS)
      : openBeneath(root, path, flags, BUILDING_PERMISSIONS);
  if (flags & O_EXCL) return handle;
  const stat = fs.fstatSync(handle);
  if (stat.isFile() && stat.nlink === 1) return handle;
  fs.closeSync(handle);
  throw Object.assign(new Error('ESTALE: something else took its place while it was restored'), {
    code: 'ESTALE',
    syscall: 'open',
    path: path.toString(),
  });
}
