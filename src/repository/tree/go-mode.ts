/** Go's `os.FileMode`, whose bits above 0o777 are not POSIX's. See the documentation of `io/fs.FileMode`. */
import type { FileKind } from '#base';

const TYPE_BITS: Record<FileKind, number> = {
  file: 0,
  dir: 2 ** 31,
  symlink: 2 ** 27,
  dev: 2 ** 26,
  fifo: 2 ** 25,
  socket: 2 ** 24,
  chardev: 2 ** 26 + 2 ** 21,
};

const SPECIAL_BITS: [posix: number, go: number][] = [
  [0o4000, 2 ** 23],
  [0o2000, 2 ** 22],
  [0o1000, 2 ** 20],
];

export const FILE_KINDS = Object.keys(TYPE_BITS) as FileKind[];

export function goFileMode(kind: FileKind, permissions: number): number {
  let mode = TYPE_BITS[kind] + (permissions & 0o777);
  for (const [posix, go] of SPECIAL_BITS) if (permissions & posix) mode += go;
  return mode;
}

/** The POSIX permissions, setuid, setgid and sticky bits of a mode; its type bits repeat the node's type. */
export function posixPermissions(mode: number): number {
  let permissions = mode & 0o777;
  for (const [posix, go] of SPECIAL_BITS) if (mode & go) permissions |= posix;
  return permissions;
}
