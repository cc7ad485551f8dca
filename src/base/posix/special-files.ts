/** FIFOs and device files, which Node can't make. Created, never followed or replaced: EEXIST where the name is taken. */
import { checkedCall, cPath, libcFunction } from './libc.ts';

const mkfifo = libcFunction<[Buffer, number]>('int mkfifo(const void *path, unsigned int mode)');
const mknod = libcFunction<[Buffer, number, bigint]>(
  'int mknod(const void *path, unsigned int mode, uint64_t device)',
);

const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

/** Throws system errors. */
export function makeFifo(path: Buffer, permissions: number): void {
  checkedCall(mkfifo(cPath(path), permissions), 'mkfifo', path);
}

/** `device` is st_rdev. Needs CAP_MKNOD: throws EPERM without. */
export function makeDevice(
  path: Buffer,
  kind: 'dev' | 'chardev',
  permissions: number,
  device: bigint,
): void {
  const type = kind === 'dev' ? S_IFBLK : S_IFCHR;
  checkedCall(mknod(cPath(path), type | permissions, device), 'mknod', path);
}
