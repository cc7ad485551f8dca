/**
 * A spool file: one contiguous stretch of one line, as frames one after another, named
 * `<line>-<from>-<serial>.spool` in hex. Files only grow at their end and are removed whole.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { systemCode } from '#base';
import {
  FRAME_HEADER_BYTES,
  type Frame,
  frameAt,
  frameSize,
  MAX_FRAME_BYTES,
} from './spool-frame.ts';

export type SpoolFile = {
  path: string;
  serial: number;
  line: number;
  from: bigint;
  /** End of what is in the file (written, perhaps not yet fsynced). */
  to: bigint;
  /** Bytes of the file that hold whole frames. */
  sizeBytes: number;
  /** Latest sender's clock in it, ms. */
  latestMs: number;
  /** Where reading may begin: offset of the journal and place in the file, every `LANDMARK_BYTES` or so. */
  landmarks: { offset: bigint; at: number }[];
};

const NAME = /^([0-9a-f]{8})-([0-9a-f]{16})-([0-9a-f]{1,12})\.spool$/;
const LANDMARK_BYTES = 256 * 1024;
/** Enough for the frames of most groups; the largest frame needs more. */
const WINDOW_BYTES = 128 * 1024;
const MAX_WINDOW_BYTES = 2 * (MAX_FRAME_BYTES + FRAME_HEADER_BYTES);

export function newSpoolFile(
  folder: string,
  line: number,
  from: bigint,
  serial: number,
): SpoolFile {
  const name = `${line.toString(16).padStart(8, '0')}-${from.toString(16).padStart(16, '0')}-${serial.toString(16)}.spool`;
  return {
    path: path.join(folder, name),
    serial,
    line,
    from,
    to: from,
    sizeBytes: 0,
    latestMs: 0,
    landmarks: [],
  };
}

/** Keeps account of a frame that lies at the file's end. */
export function noteFrame(file: SpoolFile, frame: Frame): void {
  const last = file.landmarks.at(-1);
  if (!last || file.sizeBytes - last.at >= LANDMARK_BYTES)
    file.landmarks.push({ offset: frame.offset, at: file.sizeBytes });
  file.to = frame.offset + BigInt(frame.bytes.length);
  file.sizeBytes += frameSize(frame);
  file.latestMs = Math.max(file.latestMs, frame.sentAtMs);
}

/**
 * Whole frames from a place in the file on, until its end or the first that isn't whole. Their bytes are valid until
 * the next is asked for. Ends quietly where the file was removed meanwhile.
 */
export async function* framesFrom(filePath: string, at: number): AsyncGenerator<Frame> {
  const handle = await openIfThere(filePath);
  if (!handle) return;
  try {
    let window = Buffer.allocUnsafe(WINDOW_BYTES);
    let place = at;
    for (;;) {
      const { bytesRead } = await handle.read(window, 0, window.length, place);
      const bytes = window.subarray(0, bytesRead);
      let used = 0;
      for (;;) {
        const frame = frameAt(bytes, used);
        if (!frame) break;
        used += frameSize(frame);
        yield frame;
      }
      place += used;
      if (used > 0) continue;
      // Even the largest frame fits into the largest window: none found there means that there is no whole one.
      if (bytesRead < window.length || window.length === MAX_WINDOW_BYTES) return;
      window = Buffer.allocUnsafe(MAX_WINDOW_BYTES);
    }
  } finally {
    await handle.close();
  }
}

async function openIfThere(filePath: string): Promise<fs.FileHandle | undefined> {
  try {
    return await fs.open(filePath, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Reads which files are there and how far each is whole. A folder that doesn't exist holds none. */
export async function scanSpoolFolder(folder: string): Promise<SpoolFile[]> {
  const files: SpoolFile[] = [];
  for (const name of await namesIn(folder)) {
    const match = NAME.exec(name);
    if (!match) continue;
    const [line, from, serial] = match.slice(1) as [string, string, string];
    const file = newSpoolFile(
      folder,
      Number.parseInt(line, 16),
      BigInt(`0x${from}`),
      Number.parseInt(serial, 16),
    );
    for await (const frame of framesFrom(file.path, 0)) {
      if (frame.offset !== file.to) break;
      noteFrame(file, frame);
    }
    files.push(file);
  }
  return files.sort((a, b) => a.serial - b.serial);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await fs.readdir(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The stretch's bytes from `from` up to `to`, with the sender's clock; ends early where the file does. */
export async function* readStretch(
  file: SpoolFile,
  from: bigint,
  to: bigint,
): AsyncGenerator<Frame> {
  const start = file.landmarks.findLast((mark) => mark.offset <= from);
  if (!start) return;
  for await (const frame of framesFrom(file.path, start.at)) {
    const end = frame.offset + BigInt(frame.bytes.length);
    if (end <= from) continue;
    if (frame.offset >= to) return;
    const cutFront = frame.offset < from ? Number(from - frame.offset) : 0;
    const cutBack = end > to ? Number(end - to) : 0;
    yield {
      offset: frame.offset + BigInt(cutFront),
      sentAtMs: frame.sentAtMs,
      bytes: Buffer.from(frame.bytes.subarray(cutFront, frame.bytes.length - cutBack)),
    };
    if (end >= to) return;
  }
}
