/** Times to the nanosecond: Node's own calls cut them to microseconds, and floats lose more. */
import { checkedCall, cPath, libcFunction } from './libc.ts';

const utimensat = libcFunction<[number, Buffer, Buffer, number]>(
  'int utimensat(int directory, const void *path, const void *times, int flags)',
);

const futimens = libcFunction<[number, Buffer]>('int futimens(int file, const void *times)');

const AT_FDCWD = process.platform === 'darwin' ? -2 : -100;
const AT_SYMLINK_NOFOLLOW = process.platform === 'darwin' ? 0x20 : 0x100;
const NS_PER_SECOND = 1_000_000_000n;

/** Sets both times of the entry itself (a symlink isn't followed). Throws system errors. */
export function setTimes(path: Buffer, atimeNs: bigint, mtimeNs: bigint): void {
  const times = timespecs(atimeNs, mtimeNs);
  checkedCall(utimensat(AT_FDCWD, cPath(path), times, AT_SYMLINK_NOFOLLOW), 'utimensat', path);
}

/** The same of what the path leads to. */
export function setTimesThere(path: Buffer, atimeNs: bigint, mtimeNs: bigint): void {
  const times = timespecs(atimeNs, mtimeNs);
  checkedCall(utimensat(AT_FDCWD, cPath(path), times, 0), 'utimensat', path);
}

/** The same for an open file. */
export function setOpenTimes(file: number, atimeNs: bigint, mtimeNs: bigint): void {
  checkedCall(futimens(file, timespecs(atimeNs, mtimeNs)), 'futimens');
}

/** Used again for each call: two times of seconds and nanoseconds. */
const words = new BigInt64Array(4);
const timespecBytes = Buffer.from(words.buffer);

function timespecs(atimeNs: bigint, mtimeNs: bigint): Buffer {
  writeTimespec(0, atimeNs);
  writeTimespec(2, mtimeNs);
  return timespecBytes;
}

function writeTimespec(at: number, timeNs: bigint): void {
  // Nanoseconds count forward also before 1970: -1 ns is second -1 plus 999,999,999 ns.
  let nanoseconds = timeNs % NS_PER_SECOND;
  if (nanoseconds < 0n) nanoseconds += NS_PER_SECOND;
  words[at] = (timeNs - nanoseconds) / NS_PER_SECOND;
  words[at + 1] = nanoseconds;
}
