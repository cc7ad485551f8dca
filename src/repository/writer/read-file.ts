/** Reading one regular file in a worker thread, synchronously, into the window of a cutter. */
import fs from 'node:fs';
import { mayHaveXattrs } from '#base';
import type { ChunkWindow } from '../chunking/chunk-window.ts';
import type { ListedFile } from './messages.ts';

/** Small enough to stay in the processor's cache until it is hashed. */
const READ_BYTES = 1024 * 1024;

const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_NOATIME = 0 } = fs.constants;
/** What took the file's place since it was seen must neither be followed nor waited for. */
export const READ_FLAGS = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;

/**
 * Gives each chunk of the file to `onChunk`; a chunk is valid until that returns. `windowFor`: by what the open file
 * is. Returns how many bytes were read, to the file's end as it was when it was reached. Throws Node's system errors;
 * `ESTALE` where the path leads to something that is no regular file any more.
 */
export function readFileInChunks(
  { path, expectedSizeBytes, expectedMtimeMs }: ListedFile,
  windowFor: (file: number) => ChunkWindow,
  onChunk: (chunk: Buffer) => void,
): { sizeBytes: number; isChanged: boolean; mayHaveXattrs: boolean } {
  const file = openWithoutTrace(path);
  try {
    const sizeBytes = readToEnd(file, expectedSizeBytes, windowFor(file), onChunk);
    const isTimed = !Number.isNaN(expectedMtimeMs);
    const isOtherSize = sizeBytes !== expectedSizeBytes;
    const found = { sizeBytes, mayHaveXattrs: mayHaveXattrs(file) };
    if (!isTimed && !isOtherSize) return { ...found, isChanged: false };
    const stat = fs.fstatSync(file);
    if (isOtherSize) requireRegularFile(stat, path);
    return { ...found, isChanged: isOtherSize || hasChanged(stat, expectedMtimeMs) };
  } finally {
    fs.closeSync(file);
  }
}

/** `expectedMtimeMs`: NaN where any will do. */
export function hasChanged({ mtimeMs }: { mtimeMs: number }, expectedMtimeMs: number): boolean {
  return !Number.isNaN(expectedMtimeMs) && mtimeMs !== expectedMtimeMs;
}

/** Leaves the access time alone where the file's owner or root asks for that. */
export function openWithoutTrace(path: Buffer): number {
  try {
    return fs.openSync(path, READ_FLAGS | O_NOATIME);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
    return fs.openSync(path, READ_FLAGS);
  }
}

/**
 * The chunks of a part of a file, which are all of one size but the file's last. Returns the bytes that were there.
 * Throws as `readFileInChunks` does.
 */
export function readRangeInChunks(
  path: Buffer,
  { offset, length, chunkBytes }: { offset: number; length: number; chunkBytes: number },
  memory: Buffer,
  onChunk: (chunk: Buffer) => void,
): number {
  const file = openWithoutTrace(path);
  try {
    requireRegularFile(fs.fstatSync(file), path);
    let done = 0;
    while (done < length) {
      const wanted = Math.min(memory.length, length - done);
      const there = readWhole(file, memory.subarray(0, wanted), offset + done);
      for (let at = 0; at < there.length; at += chunkBytes) {
        onChunk(there.subarray(at, at + chunkBytes));
      }
      done += there.length;
      if (there.length < wanted) break;
    }
    return done;
  } finally {
    fs.closeSync(file);
  }
}

/** Less only where the file ends before. */
export function readWhole(file: number, memory: Buffer, offset: number): Buffer {
  let done = 0;
  while (done < memory.length) {
    const read = fs.readSync(file, memory, done, memory.length - done, offset + done);
    if (read === 0) break;
    done += read;
  }
  return memory.subarray(0, done);
}

export function requireRegularFile(stats: { isFile(): boolean }, path: Buffer): void {
  if (!stats.isFile()) throw staleFile(path, 'no longer a regular file');
}

export function staleFile(path: Buffer, why: string): Error {
  return Object.assign(new Error(`ESTALE: ${why}, read '${path}'`), {
    code: 'ESTALE',
    syscall: 'read',
    path: path.toString(),
  });
}

function readToEnd(
  file: number,
  expectedSizeBytes: number,
  window: ChunkWindow,
  onChunk: (chunk: Buffer) => void,
): number {
  window.restart();
  let sizeBytes = 0;
  for (let ended = false; !ended; ) {
    const room = window.room();
    // One byte more than expected: a read that then falls short has seen the end, without another call.
    const expected = expectedSizeBytes - sizeBytes + 1;
    const wanted = Math.min(expected > 0 ? expected : READ_BYTES, READ_BYTES, room.length);
    const bytesRead = fs.readSync(file, room, 0, wanted, null);
    window.filled(bytesRead);
    sizeBytes += bytesRead;
    ended = bytesRead === 0 || (bytesRead < wanted && sizeBytes === expectedSizeBytes);
    for (let chunk = window.next(ended); chunk; chunk = window.next(ended)) onChunk(chunk);
  }
  return sizeBytes;
}
