/**
 * The local, fsynced part of a store's journal. Appends are gathered in memory and written, then fsynced, as a group:
 * while one group is on its way to the disk the next one gathers. Nothing here blocks the event loop.
 */
import fs from 'node:fs/promises';
import { messageOf, syncDirectory, systemCode } from '#base';
import { errors } from '../errors.ts';
import type { Position } from '../records/records.ts';
import type { JournalSpool } from './journal.ts';
import { joinStretches, type Stretch, unbrokenEnd } from './spans.ts';
import {
  newSpoolFile,
  noteFrame,
  readStretch,
  type SpoolFile,
  scanSpoolFolder,
} from './spool-file.ts';
import { FRAME_HEADER_BYTES, type Frame, frameHeader, MAX_FRAME_BYTES } from './spool-frame.ts';

export type SpoolOptions = {
  /** A file is closed and a new one begun at this size; files are removed whole. Default 16 MiB. */
  fileSizeBytes?: number;
};

/** The spool with what shipping needs beside the contract. */
export interface Spool extends JournalSpool {
  readonly folder: string;
  /** Bytes appended and not yet written. */
  readonly pendingBytes: number;
  /** Stretches that are fsynced, joined, by line and offset. */
  stretches(): Stretch[];
  /** How far what is fsynced goes on unbroken from here. */
  unbrokenEnd(from: Position): bigint;
  /** Fsynced frames from `from` up to `to`, cut to these; ends early at the first byte that isn't there. */
  read(line: number, from: bigint, to: bigint): AsyncIterable<Frame>;
  /**
   * After a failed `sync`, which forgets what wasn't fsynced and makes `append` throw: forgets the failure too.
   * The stream then goes on from the position returned, or anew from anywhere.
   */
  goOn(): Position | undefined;
  /** Notes what is in the repository. */
  markShipped(position: Position): void;
  /** Removes files that lie wholly within this stretch. The file in use stays. */
  release(within: { line: number; from: bigint; to: bigint }): Promise<void>;
  /** Waits for what is under way. What wasn't synced may be lost. */
  close(): Promise<void>;
}

/**
 * Opens (or makes, 0700) the folder and finds what is there. The torn end that a crash left is cut off; what is whole
 * counts as synced, because it is fsynced again here.
 */
export async function openSpool(folder: string, options: SpoolOptions = {}): Promise<Spool> {
  await fs.mkdir(folder, { recursive: true, mode: 0o700 });
  const files = await scanSpoolFolder(folder);
  const kept: SpoolFile[] = [];
  for (const file of files) {
    if (file.sizeBytes === 0) {
      await fs.rm(file.path, { force: true });
      continue;
    }
    const handle = await fs.open(file.path, 'r+');
    try {
      await handle.truncate(file.sizeBytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    kept.push(file);
  }
  await syncDirectory(folder);
  return new FileSpool(folder, kept, options.fileSizeBytes ?? 16 * 2 ** 20);
}

type Pending = { line: number; offset: bigint; sentAtMs: number; parts: Buffer[]; length: number };

class FileSpool implements Spool {
  readonly folder: string;
  readonly #fileSizeBytes: number;
  /** All files, oldest first. The last one is in use while `#handle` is there. */
  readonly #files: SpoolFile[];
  /** How far each file is fsynced. */
  readonly #syncedTo = new Map<SpoolFile, bigint>();
  #handle: fs.FileHandle | undefined;
  #nextSerial: number;

  #pending: Pending[] = [];
  #pendingBytes = 0;
  /** Where the newest append ended: what comes next follows it, or begins a new run. */
  #head: Position | undefined;
  #flushing: Promise<void> | undefined;
  /** The group on its way to the disk. */
  #group: readonly Pending[] = [];
  /** Count of appends so far, and of those whose group has ended: tells `sync` which group to wait for. */
  #appended = 0;
  #flushed = 0;
  #failure: Error | undefined;

  #synced: Position | undefined;
  #shipped: Position | undefined;

  constructor(folder: string, files: SpoolFile[], fileSizeBytes: number) {
    this.folder = folder;
    this.#files = files;
    this.#fileSizeBytes = fileSizeBytes;
    this.#nextSerial = (files.at(-1)?.serial ?? 0) + 1;
    for (const file of files) this.#syncedTo.set(file, file.to);
    const newest = this.stretches().at(-1);
    if (newest) this.#synced = { line: newest.line, offset: newest.to };
    this.#head = this.#synced;
  }

  get synced(): Position | undefined {
    return this.#synced;
  }
  get shipped(): Position | undefined {
    return this.#shipped;
  }
  get sizeBytes(): number {
    return this.#files.reduce((sum, file) => sum + file.sizeBytes, this.#pendingBytes);
  }
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  append(line: number, offset: bigint, bytes: Uint8Array, sentAtMs: number): void {
    if (this.#failure) throw this.#failure;
    const known = this.#coveredEnd(line, offset);
    const skip = known - offset;
    if (skip >= BigInt(bytes.length)) return;
    let rest = bytes.subarray(Number(skip));
    let at = known;
    while (rest.length > 0) {
      const taken = this.#gather(line, at, rest, sentAtMs);
      rest = rest.subarray(taken);
      at += BigInt(taken);
    }
    this.#head = { line, offset: at };
    this.#appended += 1;
  }

  goOn(): Position | undefined {
    if (this.#failure) {
      this.#failure = undefined;
      this.#head = this.#synced;
    }
    return this.#synced;
  }

  /** End of what is already here, written or gathered, from this offset on. */
  #coveredEnd(line: number, offset: bigint): bigint {
    const head = this.#head;
    if (head && head.line === line && head.offset === offset) return offset;
    const here: Stretch[] = this.#files.map((file) => ({
      line: file.line,
      from: file.from,
      to: file.to,
      latestMs: 0,
    }));
    for (const one of [...this.#group, ...this.#pending])
      here.push({
        line: one.line,
        from: one.offset,
        to: one.offset + BigInt(one.length),
        latestMs: 0,
      });
    return unbrokenEnd(here, line, offset);
  }

  /** Adds to the newest gathered frame where it continues it. Copies: the caller may use its bytes again. */
  #gather(line: number, offset: bigint, bytes: Uint8Array, sentAtMs: number): number {
    const last = this.#pending.at(-1);
    const fits =
      last !== undefined &&
      last.line === line &&
      last.offset + BigInt(last.length) === offset &&
      last.length < MAX_FRAME_BYTES;
    const room = MAX_FRAME_BYTES - (fits ? last.length : 0);
    const part = Buffer.from(bytes.subarray(0, room));
    if (fits) {
      last.parts.push(part);
      last.length += part.length;
      last.sentAtMs = Math.max(last.sentAtMs, sentAtMs);
    } else this.#pending.push({ line, offset, sentAtMs, parts: [part], length: part.length });
    this.#pendingBytes += part.length;
    return part.length;
  }

  async sync(): Promise<Position | undefined> {
    const wanted = this.#appended;
    // A group that is under way may have begun before the newest append: then the next one is waited for too.
    while (this.#flushed < wanted || this.#flushing) {
      const awaited = this.#flushing ?? this.#startFlush();
      await awaited;
      if (this.#flushed >= wanted) break;
    }
    if (this.#failure) throw this.#failure;
    return this.#synced;
  }

  #startFlush(): Promise<void> {
    this.#flushing = this.#flush().finally(() => {
      this.#flushing = undefined;
      this.#group = [];
    });
    return this.#flushing;
  }

  async #flush(): Promise<void> {
    const ends = this.#appended;
    this.#group = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    try {
      for (let next = 0; next < this.#group.length; )
        next += await this.#writeRun(this.#group, next);
      await this.#syncCurrent();
      this.#flushed = ends;
    } catch (error) {
      this.#failure = await this.#giveUp(error);
      throw this.#failure;
    }
  }

  /** Writes the frames from `start` on that belong into one file; returns how many. */
  async #writeRun(group: readonly Pending[], start: number): Promise<number> {
    const first = group[start] as Pending;
    const file = await this.#fileFor(first.line, first.offset);
    const frames: Frame[] = [];
    const buffers: Buffer[] = [];
    let size = 0;
    let expected = first.offset;
    for (const one of group.slice(start)) {
      if (one.line !== file.line || one.offset !== expected) break;
      if (frames.length > 0 && file.sizeBytes + size >= this.#fileSizeBytes) break;
      const frame = { offset: one.offset, sentAtMs: one.sentAtMs, bytes: Buffer.concat(one.parts) };
      frames.push(frame);
      buffers.push(frameHeader(frame), frame.bytes);
      size += FRAME_HEADER_BYTES + one.length;
      expected += BigInt(one.length);
    }
    await writeWhole(this.#handle as fs.FileHandle, buffers, file.sizeBytes);
    for (const frame of frames) noteFrame(file, frame);
    return frames.length;
  }

  /** The file in use where these bytes continue it and it isn't full, else a new one. */
  async #fileFor(line: number, offset: bigint): Promise<SpoolFile> {
    const current = this.#files.at(-1);
    const continues =
      this.#handle !== undefined &&
      current !== undefined &&
      current.line === line &&
      current.to === offset &&
      current.sizeBytes < this.#fileSizeBytes;
    if (continues) return current;
    await this.#syncCurrent();
    await this.#handle?.close();
    this.#handle = undefined;
    const file = newSpoolFile(this.folder, line, offset, this.#nextSerial++);
    this.#handle = await fs.open(file.path, 'wx', 0o600);
    await syncDirectory(this.folder);
    this.#files.push(file);
    this.#syncedTo.set(file, file.from);
    return file;
  }

  async #syncCurrent(): Promise<void> {
    const file = this.#files.at(-1);
    if (!this.#handle || !file || this.#syncedTo.get(file) === file.to) return;
    await this.#handle.datasync();
    this.#syncedTo.set(file, file.to);
    this.#synced = { line: file.line, offset: file.to };
  }

  /**
   * After a failed write or fsync nothing that isn't known to be fsynced counts: what was gathered is forgotten, the
   * file is cut back, and what comes after `goOn` begins a new one.
   */
  async #giveUp(cause: unknown): Promise<Error> {
    const file = this.#files.at(-1);
    const handle = this.#handle;
    this.#handle = undefined;
    if (handle && file) {
      const whole = await wholeUpTo(file, this.#syncedTo.get(file) ?? file.from);
      // Where cutting fails too, the checksums of the frames keep readers from what isn't whole.
      await handle.truncate(whole.sizeBytes).catch(() => {});
      await handle.close().catch(() => {});
      this.#files.pop();
      this.#syncedTo.delete(file);
      if (whole.sizeBytes > 0) {
        this.#files.push(whole);
        this.#syncedTo.set(whole, whole.to);
      } else await fs.rm(file.path, { force: true }).catch(() => {});
    }
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#flushed = this.#appended;
    const full = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(systemCode(cause) ?? '');
    return full
      ? errors.spoolFull([this.folder], { cause })
      : errors.spoolFailed([this.folder, messageOf(cause)], { cause });
  }

  stretches(): Stretch[] {
    return joinStretches(
      this.#files.flatMap((file) => {
        const to = this.#syncedTo.get(file) ?? file.from;
        return to > file.from
          ? [{ line: file.line, from: file.from, to, latestMs: file.latestMs }]
          : [];
      }),
    );
  }

  unbrokenEnd(from: Position): bigint {
    return unbrokenEnd(this.stretches(), from.line, from.offset);
  }

  async *read(line: number, from: bigint, to: bigint): AsyncGenerator<Frame> {
    let at = from;
    while (at < to) {
      const file = this.#files.find(
        (one) => one.line === line && one.from <= at && (this.#syncedTo.get(one) ?? one.from) > at,
      );
      if (!file) return;
      const end = this.#syncedTo.get(file) as bigint;
      const before = at;
      for await (const frame of readStretch(file, at, end < to ? end : to)) {
        yield frame;
        at = frame.offset + BigInt(frame.bytes.length);
      }
      if (at === before) return;
    }
  }

  markShipped(position: Position): void {
    this.#shipped = position;
  }

  async release(within: { line: number; from: bigint; to: bigint }): Promise<void> {
    const inUse = this.#handle ? this.#files.at(-1) : undefined;
    const done = this.#files.filter(
      (file) =>
        file.line === within.line &&
        file.from >= within.from &&
        file.to <= within.to &&
        file !== inUse,
    );
    for (const file of done) {
      await fs.rm(file.path, { force: true });
      this.#files.splice(this.#files.indexOf(file), 1);
      this.#syncedTo.delete(file);
    }
  }

  async close(): Promise<void> {
    // A failed group was already told to whoever waits for `sync`.
    await this.#flushing?.catch(() => {});
    await this.#handle?.close();
    this.#handle = undefined;
  }
}

/** What is left of a file when everything after `to` is cut off. Frames end where a sync ended. */
async function wholeUpTo(file: SpoolFile, to: bigint): Promise<SpoolFile> {
  const whole: SpoolFile = { ...file, to: file.from, sizeBytes: 0, latestMs: 0, landmarks: [] };
  if (to === file.from) return whole;
  for await (const frame of readStretch(file, file.from, to)) noteFrame(whole, frame);
  return whole;
}

async function writeWhole(
  handle: fs.FileHandle,
  buffers: readonly Buffer[],
  at: number,
): Promise<void> {
  let left = [...buffers];
  let place = at;
  while (left.length > 0) {
    // The kernel takes 1024 buffers in one call.
    const { bytesWritten } = await handle.writev(left.slice(0, 1024), place);
    place += bytesWritten;
    left = afterBytes(left, bytesWritten);
  }
}

function afterBytes(buffers: readonly Buffer[], written: number): Buffer[] {
  let skip = written;
  let index = 0;
  while (index < buffers.length && skip >= (buffers[index] as Buffer).length) {
    skip -= (buffers[index] as Buffer).length;
    index += 1;
  }
  const left = buffers.slice(index);
  if (skip > 0 && left[0]) left[0] = left[0].subarray(skip);
  return left;
}
