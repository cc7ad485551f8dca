/** Room in files: set aside, given back, made zero. Linux's call, which Node lacks. */
import { checkedCall, libcFunction } from './libc.ts';

const fallocate = libcFunction<[number, number, bigint, bigint]>(
  'int fallocate(int fd, int mode, int64_t offset, int64_t len)',
);

/** `mode`: flags of fallocate(2), 0 sets room aside. Throws system errors (ENOSPC, EOPNOTSUPP). */
export function allocateRange(
  descriptor: number,
  mode: number,
  offset: bigint,
  lengthBytes: bigint,
): void {
  checkedCall(fallocate(descriptor, mode, offset, lengthBytes), 'fallocate');
}
