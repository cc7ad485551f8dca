/** Where things lie in what is kept of an entry's look-up: a part of `struct statx` as the kernel wrote it (statx(2)). */

/** Of `struct statx`: its size, and where that part of it lies that is kept. */
export const STATX_BYTES = 256;
export const KEPT_FROM = 16;
export const RECORD_BYTES = 128;
/** Places in that part. */
export const LINKS = 0;
export const UID = 4;
export const GID = 8;
export const MODE = 12;
/** Two bytes that the kernel leaves free: the flags of the inode are put there. */
export const FLAGS = 14;
export const INODE = 16;
export const SIZE = 24;
export const ATIME = 48;
export const CTIME = 80;
export const MTIME = 96;
export const OWN_DEVICE = 112;
export const DEVICE = 120;
/** Between these lies what no tree tells: blocks taken, which attributes there are, times of access and of birth. */
export const UNTOLD_FROM = 32;
export const UNTOLD_TO = CTIME;
