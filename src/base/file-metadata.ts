/**
 * What is known of one file system entry besides its name and content. Sources observe it, the repository keeps it,
 * recovery applies it; it lies here because neither of them knows the other.
 */

export type FileKind = 'file' | 'dir' | 'symlink' | 'dev' | 'chardev' | 'fifo' | 'socket';

export type ExtendedAttribute = {
  /** Raw bytes: attribute names needn't be UTF-8. */
  name: Buffer;
  value: Buffer;
};

export type FileMetadata = {
  kind: FileKind;
  /** POSIX permission bits with setuid, setgid and sticky: 0o0000 to 0o7777. */
  permissions: number;
  /** Nanoseconds since 1970; negative before. */
  mtimeNs: bigint;
  atimeNs: bigint;
  ctimeNs: bigint;
  /** 0 to 2^32-1. */
  uid: number;
  gid: number;
  /** Names of owner and group where they are known, else ''. */
  user: string;
  group: string;
  inode: bigint;
  deviceId: bigint;
  links: bigint;
  /** Bytes of a regular file; 0n for everything else. */
  sizeBytes: bigint;
  /** Raw target of a symlink. */
  linkTarget?: Buffer;
  /** Device number (st_rdev) of dev and chardev. */
  device?: bigint;
  xattrs: ExtendedAttribute[];
};

/** Of an entry that was read from no disk: made by this process, at this time (ns since 1970), for this user. */
export function madeMetadata(kind: FileKind, permissions: number, atNs: bigint): FileMetadata {
  return {
    kind,
    permissions,
    mtimeNs: atNs,
    atimeNs: atNs,
    ctimeNs: atNs,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    user: '',
    group: '',
    inode: 0n,
    deviceId: 0n,
    links: 1n,
    sizeBytes: 0n,
    xattrs: [],
  };
}
