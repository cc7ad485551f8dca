/**
 * Files read with few crossings into Node's pool of threads: of a small file, each takes longer than what is done there.
 * What may wait for a disk is done there all the same: to open, and to read. Size and closing of an open file that is only
 * read wait for nothing.
 */
import fs from 'node:fs';
import { promisify } from 'node:util';
import { errors } from '../../errors.ts';
import type { ByteRange, FileHint } from '../storage.ts';

const open = promisify(fs.open);
const read = promisify(fs.read);

/**
 * All of it, or the range. Throws system errors, and `repository/short-read` where there is less. The memory is of its
 * own (no view of Node's pool), so that it can be transferred to a worker thread, or the room.
 */
export async function readFile(
  path: string,
  name: string,
  range?: ByteRange,
  room?: FileHint['room'],
): Promise<Buffer> {
  const descriptor = await open(path, 'r');
  try {
    const wanted = range ?? { offset: 0, length: fs.fstatSync(descriptor).size };
    return await readExactly(descriptor, wanted, name, room);
  } finally {
    fs.closeSync(descriptor);
  }
}

async function readExactly(
  descriptor: number,
  range: ByteRange,
  name: string,
  room?: FileHint['room'],
): Promise<Buffer> {
  const shared = room?.(range.length);
  const buffer = shared
    ? Buffer.from(shared, 0, range.length)
    : Buffer.allocUnsafeSlow(range.length);
  let have = 0;
  while (have < range.length) {
    const [left, at] = [range.length - have, range.offset + have];
    const { bytesRead } = await read(descriptor, buffer, have, left, at);
    if (bytesRead === 0) {
      const wanted = `wanted ${range.length} bytes at ${range.offset}, got ${have}`;
      throw errors.shortRead([name, wanted]);
    }
    have += bytesRead;
  }
  return buffer;
}
