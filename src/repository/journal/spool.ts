/**
 * The local, fsynced part of a store's journal. Appends are gathered in memory and written, then fsynced, as a group:
 * while one group is on its way to the disk the next one gathers. Nothing here blocks the event loop.
 */
import { messageOf, systemCode } from '#base';
import { errors } from '../errors.ts';
import type { Position } from '../records/records.ts';
import type { JournalSpool } from './journal.ts';
import { type Stretch, unbrokenEnd } from './spans.ts';
import { type Gathered, openSpoolFiles, type SpoolFiles } from './spool-files.ts';
import { type Frame, MAX_FRAME_BYTES } from './spool-frame.ts';
import { SpoolTail } from './spool-tail.ts';

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
  const files = await openSpoolFiles(folder, options.fileSizeBytes ?? 16 * 2 ** 20);
  return new FileSpool(folder, files);
}

class FileSpool implements Spool {
  readonly folder: string;
  readonly #files: SpoolFiles;
  readonly #tail = new SpoolTail();
  #pending: Gathered[] = [];
  #pendingBytes = 0;
  /** Where the newest append ended: what comes next follows it, or begins a new run. */
  #head: Position | undefined;
  #flushing: Promise<void> | undefined;
  /** The group on its way to the disk. */
  #group: readonly Gathered[] = [];
  #groupBytes = 0;
  /** Count of appends so far, and of those whose group has ended: tells `sync` which group to wait for. */
  #appended = 0;
  #flushed = 0;
  #failure: Error | undefined;

  #synced: Position | undefined;
  #shipped: Position | undefined;

  constructor(folder: string, files: SpoolFiles) {
    this.folder = folder;
    this.#files = files;
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
    return this.#files.sizeBytes + this.#pendingBytes + this.#groupBytes;
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
    const here = this.#files.written();
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
      this.#groupBytes = 0;
    });
    return this.#flushing;
  }

  async #flush(): Promise<void> {
    const ends = this.#appended;
    this.#group = this.#pending;
    this.#groupBytes = this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
    try {
      const written: { line: number; frames: Frame[] }[] = [];
      for (let next = 0; next < this.#group.length; ) {
        const { line } = this.#group[next] as Gathered;
        const frames = await this.#files.writeRun(this.#group, next);
        written.push({ line, frames });
        next += frames.length;
      }
      this.#synced = (await this.#files.sync()) ?? this.#synced;
      for (const { line, frames } of written) this.#tail.add(line, frames);
      this.#flushed = ends;
    } catch (error) {
      this.#failure = await this.#giveUp(error);
      throw this.#failure;
    }
  }

  /** What wasn't fsynced is forgotten, what is gathered behind it too. */
  async #giveUp(cause: unknown): Promise<Error> {
    await this.#files.cutBack();
    this.#tail.forget();
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#flushed = this.#appended;
    const newest = this.stretches().at(-1);
    this.#synced = newest && { line: newest.line, offset: newest.to };
    const full = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(systemCode(cause) ?? '');
    return full
      ? errors.spoolFull([this.folder], { cause })
      : errors.spoolFailed([this.folder, messageOf(cause)], { cause });
  }

  stretches(): Stretch[] {
    return this.#files.stretches();
  }

  unbrokenEnd(from: Position): bigint {
    return unbrokenEnd(this.stretches(), from.line, from.offset);
  }

  async *read(line: number, from: bigint, to: bigint): AsyncGenerator<Frame> {
    const kept = this.#tail.read(line, from, to);
    if (kept) yield* kept;
    else yield* this.#files.read(line, from, to);
  }

  release(within: { line: number; from: bigint; to: bigint }): Promise<void> {
    return this.#files.release(within);
  }

  markShipped(position: Position): void {
    this.#shipped = position;
    this.#tail.shipped(position);
  }

  async close(): Promise<void> {
    // A failed group was already told to whoever waits for `sync`.
    await this.#flushing?.catch(() => {});
    await this.#files.close();
  }
}
