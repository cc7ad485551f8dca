/**
 * The files of a spool that is written: which there are, how far each is fsynced, which one grows. Failures of the disk
 * come out as they are; `cutBack` then leaves what is known to be safe.
 */
import fs from 'node:fs/promises';
import { syncDirectory } from '#base';
import { joinStretches, type Stretch } from './spans.ts';
import {
  newSpoolFile,
  noteFrame,
  readStretch,
  type SpoolFile,
  scanSpoolFolder,
} from './spool-file.ts';
import { FRAME_HEADER_BYTES, type Frame, frameHeader } from './spool-frame.ts';

/** Bytes that were appended and are to become one frame. */
export type Gathered = {
  line: number;
  offset: bigint;
  sentAtMs: number;
  parts: Buffer[];
  length: number;
};

/** Makes the folder (0700) where there is none, cuts off torn ends and fsyncs what is left. */
export async function openSpoolFiles(folder: string, fileSizeBytes: number): Promise<SpoolFiles> {
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
  return new SpoolFiles(folder, kept, fileSizeBytes);
}

export class SpoolFiles {
  readonly #folder: string;
  readonly #fileSizeBytes: number;
  /** Oldest first. */
  readonly #files: SpoolFile[];
  /** How far each file is fsynced. */
  readonly #syncedTo = new Map<SpoolFile, bigint>();
  /** The newest file, while it is open to grow. */
  #growing: { file: SpoolFile; handle: fs.FileHandle } | undefined;
  #nextSerial: number;

  constructor(folder: string, files: SpoolFile[], fileSizeBytes: number) {
    this.#folder = folder;
    this.#files = files;
    this.#fileSizeBytes = fileSizeBytes;
    this.#nextSerial = (files.at(-1)?.serial ?? 0) + 1;
    for (const file of files) this.#syncedTo.set(file, file.to);
  }

  get sizeBytes(): number {
    return this.#files.reduce((sum, file) => sum + file.sizeBytes, 0);
  }

  /** What is written, fsynced or not, in no order. */
  written(): Stretch[] {
    return this.#files.map(({ line, from, to, latestMs }) => ({ line, from, to, latestMs }));
  }

  /** What is fsynced, joined. */
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

  /** Writes what comes from `start` on and belongs into one file; returns it as frames. */
  async writeRun(group: readonly Gathered[], start: number): Promise<Frame[]> {
    const first = group[start] as Gathered;
    const { file, handle } = await this.#fileFor(first.line, first.offset);
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
    await writeWhole(handle, buffers, file.sizeBytes);
    for (const frame of frames) noteFrame(file, frame);
    return frames;
  }

  /** The file that grows, where these bytes continue it and it isn't full, else a new one. */
  async #fileFor(
    line: number,
    offset: bigint,
  ): Promise<{ file: SpoolFile; handle: fs.FileHandle }> {
    const growing = this.#growing;
    if (growing) {
      const { file } = growing;
      const continues = file.line === line && file.to === offset;
      if (continues && file.sizeBytes < this.#fileSizeBytes) return growing;
      await this.sync();
      this.#growing = undefined;
      await growing.handle.close();
    }
    const file = newSpoolFile(this.#folder, line, offset, this.#nextSerial++);
    const handle = await fs.open(file.path, 'wx', 0o600);
    const fresh = { file, handle };
    this.#growing = fresh;
    this.#files.push(file);
    this.#syncedTo.set(file, file.from);
    await syncDirectory(this.#folder);
    return fresh;
  }

  /** Makes what was written durable; to the end of it, or undefined where nothing is being written. */
  async sync(): Promise<{ line: number; offset: bigint } | undefined> {
    if (!this.#growing) return undefined;
    const { file, handle } = this.#growing;
    if (this.#syncedTo.get(file) !== file.to) {
      await handle.datasync();
      this.#syncedTo.set(file, file.to);
    }
    return { line: file.line, offset: file.to };
  }

  /**
   * After a failed write or fsync: nothing that isn't known to be fsynced counts. The file is cut back and grows no
   * more; what comes next begins a new one.
   */
  async cutBack(): Promise<void> {
    if (!this.#growing) return;
    const { file, handle } = this.#growing;
    this.#growing = undefined;
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

  async release(within: { line: number; from: bigint; to: bigint }): Promise<void> {
    const inUse = this.#growing?.file;
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
    await this.#growing?.handle.close();
    this.#growing = undefined;
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
