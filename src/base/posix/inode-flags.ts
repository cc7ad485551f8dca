/**
 * Flags that a file system keeps of files and folders beside their permissions (chattr(1)), as far as looking an entry
 * up tells of them: immutable, append-only, left out of dumps, compressed. Linux alone.
 */
import fs from 'node:fs';
import type { ExtendedAttribute } from '../file-metadata.ts';
import { checkedCall, cPath, libcFunction, systemError } from './libc.ts';

const statx = libcFunction<[number, Buffer, number, number, Buffer]>(
  'int statx(int folder, const void *name, int flags, unsigned int mask, void *record)',
);
const ioctl = libcFunction<[number, number, Buffer]>(
  'int ioctl(int fd, unsigned long request, void *flags)',
);
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_TYPE = 1;
const STATX_BYTES = 256;
/** Where statx(2) has the attributes; their lowest byte holds those that are kept, as the ioctl has them. */
export const STATX_ATTRIBUTES_AT = 8;
const GET_FLAGS = 0x80086601;
const SET_FLAGS = 0x40086602;
const ENOTSUP = 95;

/** Bits by the letters of chattr(1). */
const LETTERS: readonly (readonly [letter: string, bit: number])[] = [
  ['a', 0x20],
  ['c', 0x04],
  ['d', 0x40],
  ['i', 0x10],
];
export const KEPT_FLAGS = 0x74;
/** Nothing can be changed, or only added, while these are set. */
const HINDERING = 0x30;

/**
 * How trees keep them: as an attribute of a name that no kernel takes, so that restic leaves it out when it restores. The
 * value is letters, in the order of the alphabet.
 */
export const INODE_FLAGS_ATTRIBUTE = 'holdfast.inode-flags';

export function flagsAsAttribute(bits: number): ExtendedAttribute[] {
  if ((bits & KEPT_FLAGS) === 0) return [];
  const letters = LETTERS.filter(([, bit]) => bits & bit).map(([letter]) => letter);
  return [{ name: Buffer.from(INODE_FLAGS_ATTRIBUTE), value: Buffer.from(letters.join('')) }];
}

export function isFlagsAttribute({ name }: ExtendedAttribute): boolean {
  return name.toString('latin1') === INODE_FLAGS_ATTRIBUTE;
}

const memory = Buffer.alloc(STATX_BYTES);

/** Of the entry itself; 0 where the file system tells none. Throws system errors. */
export function readInodeFlags(path: Buffer): number {
  if (process.platform !== 'linux') return 0;
  const answer = statx(AT_FDCWD, cPath(path), AT_SYMLINK_NOFOLLOW, STATX_TYPE, memory);
  checkedCall(answer, 'statx', path);
  return memory.readUInt8(STATX_ATTRIBUTES_AT) & KEPT_FLAGS;
}

/** Gives an open file or folder the flags of an attribute. Throws system errors (EPERM: `a` and `i` need root). */
export function setOpenInodeFlags(descriptor: number, { value }: ExtendedAttribute): void {
  if (process.platform !== 'linux') throw systemError('ioctl', ENOTSUP);
  const letters = value.toString('latin1');
  const wanted = LETTERS.reduce(
    (bits, [letter, bit]) => bits | (letters.includes(letter) ? bit : 0),
    0,
  );
  changeFlags(descriptor, wanted, KEPT_FLAGS);
}

/** The same by path, which is not followed. */
export function setInodeFlags(path: Buffer, attribute: ExtendedAttribute): void {
  withOpen(path, O_NOFOLLOW, (descriptor) => setOpenInodeFlags(descriptor, attribute));
}

/** The same of what the path leads to. */
export function setInodeFlagsThere(path: Buffer, attribute: ExtendedAttribute): void {
  withOpen(path, 0, (descriptor) => setOpenInodeFlags(descriptor, attribute));
}

/** Takes away what would keep the entry from being changed, where it is set. Throws system errors. */
export function allowChanges(path: Buffer): void {
  if ((readInodeFlags(path) & HINDERING) === 0) return;
  withOpen(path, O_NOFOLLOW, (descriptor) => changeFlags(descriptor, 0, HINDERING));
}

const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = fs.constants;

function withOpen(path: Buffer, flags: number, work: (descriptor: number) => void): void {
  const descriptor = fs.openSync(path, O_RDONLY | O_NONBLOCK | flags);
  try {
    work(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

function changeFlags(descriptor: number, wanted: number, mask: number): void {
  const flags = Buffer.alloc(8);
  checkedCall(ioctl(descriptor, GET_FLAGS, flags), 'ioctl');
  const before = flags.readUInt32LE(0);
  const after = (before & ~mask) | wanted;
  if (after === before) return;
  flags.writeUInt32LE(after >>> 0, 0);
  checkedCall(ioctl(descriptor, SET_FLAGS, flags), 'ioctl');
}
