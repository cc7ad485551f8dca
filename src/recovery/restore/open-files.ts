/**
 * The files that are being written. Their pieces arrive in the order of packs, so many are open at a time; the least
 * recently used ones are closed at a bound and opened again when more arrives.
 */
import fs from 'node:fs';
import { promisify } from 'node:util';
import { systemClock } from '#base';
import { openPlaced } from '#repository';

const write = promisify(fs.write);

const MAX_OPEN = 256;
// Copying that much into the page cache takes well under a millisecond.
const SYNC_WRITE_BYTES = 512 * 1024;
// A write that took longer waited for the disk: for a while the next ones go to a thread, so that nothing else waits.
const SLOW_WRITE_MS = 20;
const WRITES_IN_THREADS = 64;

const { O_WRONLY, O_CREAT, O_EXCL } = fs.constants;

export type WritableFile = {
  /** A character for each byte (latin1). */
  path: string;
  /** Set by `OpenFiles` alone. */
  created: boolean;
};

type OpenFile = { fd: number; users: number };

/** All methods throw or reject with system errors. Close it whatever happened. */
export class OpenFiles {
  /** In the order of use: the first one was used least recently. */
  readonly #open = new Map<WritableFile, OpenFile>();
  readonly #root: number | undefined;
  #writesInThreads = 0;

  /** `root`: descriptor of the folder that paths begin at; undefined: they are absolute. */
  constructor(root: number | undefined) {
    this.#root = root;
  }

  /** Makes the file where it is the first piece (EEXIST where the name is taken: nothing is followed or replaced). */
  async write(file: WritableFile, bytes: Buffer, position: number): Promise<void> {
    const open = this.#acquire(file);
    try {
      for (let done = 0; done < bytes.length; ) {
        const rest = done === 0 ? bytes : bytes.subarray(done);
        done += await this.#writeSome(open.fd, rest, position + done);
      }
    } finally {
      open.users -= 1;
    }
  }

  /** Makes the file, for others who write into it by its path. */
  create(file: WritableFile): void {
    this.#acquire(file).users -= 1;
  }

  /** Gives the file its size, which makes a hole of what wasn't written at its end, and what `apply` gives; closes it. */
  finish<T>(file: WritableFile, sizeBytes: number, apply: (descriptor: number) => T): T {
    const open = this.#acquire(file);
    this.#open.delete(file);
    try {
      fs.ftruncateSync(open.fd, sizeBytes);
      return apply(open.fd);
    } finally {
      fs.closeSync(open.fd);
    }
  }

  /** Closes it as it is. */
  drop(file: WritableFile): void {
    const open = this.#open.get(file);
    if (!open) return;
    this.#open.delete(file);
    fs.closeSync(open.fd);
  }

  close(): void {
    for (const { fd } of this.#open.values()) fs.closeSync(fd);
    this.#open.clear();
  }

  async #writeSome(fd: number, bytes: Buffer, position: number): Promise<number> {
    if (bytes.length > SYNC_WRITE_BYTES || this.#writesInThreads > 0) {
      this.#writesInThreads -= 1;
      const { bytesWritten } = await write(fd, bytes, 0, bytes.length, position);
      return bytesWritten;
    }
    const startMs = systemClock.monotonicMs();
    const written = fs.writeSync(fd, bytes, 0, bytes.length, position);
    const tookMs = systemClock.monotonicMs() - startMs;
    if (tookMs > SLOW_WRITE_MS) this.#writesInThreads = WRITES_IN_THREADS;
    return written;
  }

  #acquire(file: WritableFile): OpenFile {
    let open = this.#open.get(file);
    if (open) this.#open.delete(file);
    else {
      this.#closeIdle();
      const flags = O_WRONLY | (file.created ? 0 : O_CREAT | O_EXCL);
      open = { fd: openPlaced(this.#root, Buffer.from(file.path, 'latin1'), flags), users: 0 };
      file.created = true;
    }
    open.users += 1;
    this.#open.set(file, open);
    return open;
  }

  #closeIdle(): void {
    if (this.#open.size < MAX_OPEN) return;
    for (const [file, open] of this.#open) {
      if (open.users > 0) continue;
      this.#open.delete(file);
      fs.closeSync(open.fd);
      return;
    }
  }
}
