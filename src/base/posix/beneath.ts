/**
 * Opening what lies below a folder, whatever others do to the names on the way meanwhile: no symlink is followed, and
 * nothing leads out. Linux's openat2(2), or name by name where a kernel or a sandbox has no such call.
 */
import fs from 'node:fs';
import { cPath, lastErrno, libcFunction, systemError } from './libc.ts';

const syscall = libcFunction<[number, number, Buffer, Buffer, number]>(
  'long syscall(long number, long folder, const void *path, void *how, size_t size)',
);
const OPENAT2 = 437;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
/** Of `struct open_how`: flags, mode, resolve, 64 bits each. */
const HOW_BYTES = 24;
/** Used again for each call. The upper halves stay zero. */
const how = Buffer.alloc(HOW_BYTES);
how.writeUInt32LE(RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH, 16);

const ENOSYS = 38;
const EPERM = 1;

const { O_CREAT, O_DIRECTORY = 0, O_NOFOLLOW = 0 } = fs.constants;
const O_CLOEXEC = 0o2000000;
/** Only a name for the entry: nothing of it is opened. */
export const O_PATH = 0o10000000;

let hasOpenat2 = true;

let isPossible: boolean | undefined;

/** True where the calls below do what they say. */
export function canOpenBeneath(): boolean {
  isPossible ??= process.platform === 'linux' && fs.existsSync('/proc/self/fd');
  return isPossible;
}

/**
 * A descriptor of the entry at `relative` below the open folder; '' is the folder itself. Names must not be `.` or `..`.
 * Throws system errors: ELOOP or ENOTDIR where a symlink is on the way, EEXIST as open(2).
 */
export function openBeneath(folder: number, relative: Buffer, flags: number, mode = 0): number {
  const path = relative.length === 0 ? DOT : relative;
  if (hasOpenat2) {
    how.writeUInt32LE(flags | O_NOFOLLOW | O_CLOEXEC, 0);
    how.writeUInt32LE(flags & O_CREAT ? mode : 0, 8);
    const opened = syscall(OPENAT2, folder, cPath(path), how, HOW_BYTES);
    if (opened >= 0) return opened;
    const errno = lastErrno();
    if (errno !== ENOSYS && errno !== EPERM) throw systemError('open', errno, relative);
    // EPERM is also what a sandbox says that doesn't know the call: what is truly refused is refused again below.
    if (errno === ENOSYS) hasOpenat2 = false;
  }
  return openByNames(folder, path, flags, mode);
}

const DOT = Buffer.from('.');
const SLASH = 0x2f;

function openByNames(folder: number, path: Buffer, flags: number, mode: number): number {
  let at = folder;
  try {
    for (let start = 0; ; ) {
      const slash = path.indexOf(SLASH, start);
      if (slash < 0)
        return fs.openSync(entryOf(at, path.subarray(start)), flags | O_NOFOLLOW, mode);
      const name = path.subarray(start, slash);
      const next = fs.openSync(entryOf(at, name), O_PATH | O_DIRECTORY | O_NOFOLLOW);
      if (at !== folder) fs.closeSync(at);
      at = next;
      start = slash + 1;
    }
  } finally {
    if (at !== folder) fs.closeSync(at);
  }
}

/** A path to an entry of an open folder: valid as long as that is open. */
export function entryOf(folder: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${folder}/`), name]);
}

/** A path to what is open itself: valid as long as it is open. Calls that follow links follow it to there and no further. */
export function pathOfOpen(descriptor: number): Buffer {
  return Buffer.from(`/proc/self/fd/${descriptor}`);
}
