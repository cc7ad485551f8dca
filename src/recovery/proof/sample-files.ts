/** Reads random files of a recovered folder whole: what comes from the repository is verified by its name as it comes. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { formatCounted, formatSize, randomBelow, systemCode } from '#base';
import type { Sample, SampleRequest } from '#sources';

/** Of so many entries, found in random order of their folders, the sample is drawn. */
const MOST_LISTED = 50_000;
const MOST_SAMPLED = 1_000;
const MOST_NAMED = 16;
const READ_BYTES = 1024 * 1024;

export async function sampleFiles(request: SampleRequest): Promise<Sample> {
  const { directory, maxBytes, signal } = request;
  const files = shuffled(await listFiles(directory, signal)).slice(0, MOST_SAMPLED);
  const problems: string[] = [];
  let read = 0;
  let readBytes = 0;
  for (const file of files) {
    if (read > 0 && readBytes >= maxBytes) break;
    signal.throwIfAborted();
    const left = Math.max(READ_BYTES, maxBytes - readBytes);
    const looked = await readSome(file, left, request);
    read += 1;
    readBytes += looked.bytes;
    if (looked.problem !== undefined && problems.length < MOST_NAMED) {
      problems.push(`${shownPath(directory, file)} ${looked.problem}`);
    }
  }
  return { what: `${formatCounted(read, 'file')} read, ${formatSize(readBytes)}`, problems };
}

/** Paths as bytes: names need not be text. */
async function listFiles(directory: string, signal: AbortSignal): Promise<Buffer[]> {
  const folders: Buffer[] = [Buffer.from(directory)];
  const files: Buffer[] = [];
  for (let listed = 0; folders.length > 0 && listed < MOST_LISTED; ) {
    signal.throwIfAborted();
    const [folder] = folders.splice(randomBelow(folders.length), 1) as [Buffer];
    // One byte a letter, so that no name is changed.
    for await (const entry of await fs.opendir(folder, { encoding: 'latin1' as 'utf8' })) {
      listed += 1;
      if (listed > MOST_LISTED) break;
      const name = Buffer.from(`/${entry.name}`, 'latin1');
      const place = Buffer.concat([folder, name]);
      if (entry.isDirectory()) folders.push(place);
      else if (entry.isFile()) files.push(place);
    }
  }
  return files;
}

function shuffled<T>(items: T[]): T[] {
  for (let left = items.length; left > 1; left -= 1) {
    const other = randomBelow(left);
    const last = items[left - 1] as T;
    items[left - 1] = items[other] as T;
    items[other] = last;
  }
  return items;
}

/** All of it, or, of one that is larger, a piece at a random place. */
async function readSome(
  file: Buffer,
  maxBytes: number,
  { onRead, signal }: SampleRequest,
): Promise<{ bytes: number; problem?: string }> {
  let bytes = 0;
  const handle = await fs.open(file, 'r');
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, maxBytes);
    const begin = size > length ? randomBelow(size - length + 1) : 0;
    const room = Buffer.allocUnsafe(Math.min(READ_BYTES, Math.max(1, length)));
    while (bytes < length) {
      signal.throwIfAborted();
      const wanted = Math.min(room.length, length - bytes);
      const { bytesRead } = await handle.read(room, 0, wanted, begin + bytes);
      if (bytesRead === 0) return { bytes, problem: `ends at byte ${begin + bytes} of ${size}` };
      onRead(room.subarray(0, bytesRead));
      bytes += bytesRead;
    }
    return { bytes };
  } catch (error) {
    signal.throwIfAborted();
    return { bytes, problem: `can't be read (${systemCode(error) ?? 'unknown error'})` };
  } finally {
    await handle.close();
  }
}

function shownPath(directory: string, file: Buffer): string {
  return path.relative(directory, file.toString('utf8'));
}
