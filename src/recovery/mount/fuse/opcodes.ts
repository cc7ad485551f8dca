/** Numbers of the FUSE kernel interface, version 7.31 (include/uapi/linux/fuse.h of Linux 5.4 and later). */

export const OPCODE = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  setxattr: 21,
  getxattr: 22,
  listxattr: 23,
  removexattr: 24,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  access: 34,
  create: 35,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
  fallocate: 43,
  readdirplus: 44,
  rename2: 45,
} as const;

export const MAJOR = 7;
/** What is answered to INIT. A newer kernel then speaks as this version does; an older one is refused. */
export const MINOR = 31;
export const LEAST_MINOR = 28;

/** Flags of INIT. */
export const FEATURE = {
  asyncRead: 1 << 0,
  bigWrites: 1 << 5,
  readdirplus: 1 << 13,
  readdirplusAuto: 1 << 14,
  writebackCache: 1 << 16,
  parallelDirops: 1 << 18,
  maxPages: 1 << 22,
  cacheSymlinks: 1 << 23,
} as const;

/** Flags of an OPEN's answer. */
export const OPENED = { keepCache: 1 << 1, cacheDir: 1 << 3 } as const;

export const ROOT_NODE = 1n;
export const MAX_TRANSFER_BYTES = 1024 * 1024;
export const MAX_TRANSFER_PAGES = 256;
