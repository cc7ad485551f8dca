/** Extended attributes of an entry itself: a symlink is never followed. Linux's calls. */
import type { ExtendedAttribute } from '../file-metadata.ts';
import { checkedCall, cPath, lastErrno, libcFunction, systemError } from './libc.ts';

const llistxattr = libcFunction<[Buffer, Buffer | null, number]>(
  'int64_t llistxattr(const void *path, void *list, size_t size)',
);
const lgetxattr = libcFunction<[Buffer, Buffer, Buffer | null, number]>(
  'int64_t lgetxattr(const void *path, const void *name, void *value, size_t size)',
);
const lsetxattr = libcFunction<[Buffer, Buffer, Buffer, number, number]>(
  'int lsetxattr(const void *path, const void *name, const void *value, size_t size, int flags)',
);
const setxattr = libcFunction<[Buffer, Buffer, Buffer, number, number]>(
  'int setxattr(const void *path, const void *name, const void *value, size_t size, int flags)',
);
const fsetxattr = libcFunction<[number, Buffer, Buffer, number, number]>(
  'int fsetxattr(int file, const void *name, const void *value, size_t size, int flags)',
);

const flistxattr = libcFunction<[number, Buffer | null, number]>(
  'int64_t flistxattr(int file, void *list, size_t size)',
);
const lremovexattr = libcFunction<[Buffer, Buffer]>(
  'int lremovexattr(const void *path, const void *name)',
);

// Linux: no attribute is longer than 64 KiB, no list either (XATTR_SIZE_MAX, XATTR_LIST_MAX).
const MAX_BYTES = 65_536;
const ENODATA = 61;
const ENOTSUP = 95;

// The calls are synchronous, so one buffer for all of them in this thread is enough; results are copied out.
const scratch = Buffer.allocUnsafeSlow(MAX_BYTES);

/**
 * All that the caller may read, in the kernel's order; none where the file system has no attributes.
 * Throws system errors (ENOENT, EACCES).
 */
export function readXattrs(path: Buffer): ExtendedAttribute[] {
  if (process.platform !== 'linux') return [];
  const terminated = cPath(path);
  const listBytes = llistxattr(terminated, scratch, MAX_BYTES);
  if (listBytes === 0) return [];
  if (listBytes < 0) {
    const errno = lastErrno();
    if (errno === ENOTSUP) return [];
    throw systemError('llistxattr', errno, path);
  }
  const list = Buffer.from(scratch.subarray(0, listBytes));
  const attributes: ExtendedAttribute[] = [];
  let start = 0;
  while (start < list.length) {
    const end = list.indexOf(0, start);
    const name = list.subarray(start, end);
    start = end + 1;
    const valueBytes = lgetxattr(
      terminated,
      list.subarray(start - name.length - 1),
      scratch,
      MAX_BYTES,
    );
    if (valueBytes >= 0) {
      attributes.push({ name, value: Buffer.from(scratch.subarray(0, valueBytes)) });
      continue;
    }
    const errno = lastErrno();
    // Removed since it was listed, or listed by a file system that then doesn't answer for it.
    if (errno !== ENODATA && errno !== ENOTSUP) throw systemError('lgetxattr', errno, path);
  }
  return attributes;
}

/** Whether an open file has any, or doesn't tell: a fraction of what `readXattrs` takes. */
export function mayHaveXattrs(file: number): boolean {
  if (process.platform !== 'linux') return false;
  const listBytes = flistxattr(file, null, 0);
  return listBytes > 0 || (listBytes < 0 && lastErrno() !== ENOTSUP);
}

/** Sets or replaces one attribute. Throws system errors (ENOTSUP, EPERM, ENOSPC). */
export function setXattr(path: Buffer, attribute: ExtendedAttribute): void {
  if (process.platform !== 'linux') throw systemError('lsetxattr', ENOTSUP, path);
  const { name, value } = attribute;
  checkedCall(lsetxattr(cPath(path), cPath(name), value, value.length, 0), 'lsetxattr', path);
}

/** The same of what the path leads to. */
export function setXattrThere(path: Buffer, { name, value }: ExtendedAttribute): void {
  if (process.platform !== 'linux') throw systemError('setxattr', ENOTSUP, path);
  checkedCall(setxattr(cPath(path), cPath(name), value, value.length, 0), 'setxattr', path);
}

/** The same for an open file. */
export function setOpenXattr(file: number, { name, value }: ExtendedAttribute): void {
  if (process.platform !== 'linux') throw systemError('fsetxattr', ENOTSUP);
  checkedCall(fsetxattr(file, cPath(name), value, value.length, 0), 'fsetxattr');
}

/** Throws system errors (ENODATA where it isn't there). */
export function removeXattr(path: Buffer, name: Buffer): void {
  if (process.platform !== 'linux') throw systemError('lremovexattr', ENOTSUP, path);
  checkedCall(lremovexattr(cPath(path), cPath(name)), 'lremovexattr', path);
}
