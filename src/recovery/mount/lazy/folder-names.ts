/** Names of a lazy folder: looked up, made, moved and removed on disk. Every call is synchronous and told at once. */
import fs from 'node:fs';
import os from 'node:os';
import { makeDevice, makeFifo } from '#base';
import {
  decodeLink,
  decodeMakeDirectory,
  decodeMakeNode,
  decodeRename,
  decodeSymlink,
} from '../fuse/change-requests.ts';
import { libcDevice } from '../fuse/device-number.ts';
import type { FuseAnswer } from '../fuse/reply.ts';
import {
  DirectoryAnswer,
  decodeName,
  decodeRead,
  encodeAbsence,
  encodeEntry,
  encodeOpened,
  type FuseRequest,
  type NodeAttributes,
} from '../fuse/wire.ts';
import { attributesOf } from './attributes.ts';
import { flagsBelow } from './folder-files.ts';
import type { FolderNode, NodeTable } from './nodes.ts';

const { EINVAL, ENOENT, ENOSYS } = os.constants.errno;
const { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } = fs.constants;

/** Nobody but us changes what lies below: the kernel may believe what it was told. */
export const KNOWN = { validMs: 24 * 60 * 60 * 1000 };

export class FolderNames {
  readonly #nodes: NodeTable;
  readonly #listsInodes: boolean;
  /** By handle of an open directory. */
  readonly #listings = new Map<bigint, readonly Listed[]>();
  #nextHandle = 1n;

  /** `listsInodes`: false spares a look at each entry where names alone are listed, and shows no inodes in lists. */
  constructor(nodes: NodeTable, listsInodes: boolean) {
    this.#nodes = nodes;
    this.#listsInodes = listsInodes;
  }

  lookup(parent: FolderNode, { body }: FuseRequest): FuseAnswer {
    const name = decodeName(body);
    const path = this.#childPath(parent, name);
    const stat = fs.lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (!stat) return [encodeAbsence(KNOWN)];
    return [encodeEntry(this.#held(parent, name, stat), KNOWN)];
  }

  /** Makes a file, opens it, and tells the kernel of it as a lookup would. */
  create(
    parent: FolderNode,
    name: Buffer,
    flags: number,
    mode: number,
    request: FuseRequest,
  ): { node: FolderNode; descriptor: number; entry: Buffer } {
    const path = this.#childPath(parent, name);
    const descriptor = fs.openSync(path, flagsBelow(flags) | fs.constants.O_CREAT, mode & 0o7777);
    fs.fchownSync(descriptor, request.uid, request.gid);
    const stat = fs.fstatSync(descriptor, { bigint: true });
    const entry = encodeEntry(this.#held(parent, name, stat), KNOWN);
    return { node: this.#nodeOf(entry), descriptor, entry };
  }

  makeDirectory(parent: FolderNode, request: FuseRequest): FuseAnswer {
    const { name, mode } = decodeMakeDirectory(request.body);
    return this.#made(parent, name, request, (path) => fs.mkdirSync(path, { mode: mode & 0o7777 }));
  }

  makeSymlink(parent: FolderNode, request: FuseRequest): FuseAnswer {
    const { name, target } = decodeSymlink(request.body);
    return this.#made(parent, name, request, (path) => fs.symlinkSync(target, path));
  }

  makeNode(parent: FolderNode, request: FuseRequest): FuseAnswer {
    const { name, mode, device } = decodeMakeNode(request.body);
    return this.#made(parent, name, request, (path) => makeSpecial(path, mode, device));
  }

  link(parent: FolderNode, { body }: FuseRequest): FuseAnswer {
    const { node: number, name } = decodeLink(body);
    const node = this.#nodes.get(number);
    const existing = node && this.#nodes.pathOf(node);
    if (!existing) return { errno: ENOENT };
    const path = this.#childPath(parent, name);
    fs.linkSync(existing, path);
    const stat = fs.lstatSync(path, { bigint: true });
    return [encodeEntry(this.#held(parent, name, stat), KNOWN)];
  }

  unlink(parent: FolderNode, { body }: FuseRequest): FuseAnswer {
    const name = decodeName(body);
    const path = this.#childPath(parent, name);
    const stat = fs.lstatSync(path, { bigint: true });
    this.#nodes.keepReachable(path, stat);
    fs.unlinkSync(path);
    this.#nodes.removed(parent, name, stat.ino, stat.nlink <= 1n);
    return [];
  }

  removeDirectory(parent: FolderNode, { body }: FuseRequest): FuseAnswer {
    const name = decodeName(body);
    const path = this.#childPath(parent, name);
    const stat = fs.lstatSync(path, { bigint: true });
    fs.rmdirSync(path);
    this.#nodes.removed(parent, name, stat.ino, true);
    return [];
  }

  rename(parent: FolderNode, { body }: FuseRequest, withFlags: boolean): FuseAnswer {
    const { toParent, flags, from, to } = decodeRename(body, withFlags);
    const newParent = this.#nodes.get(toParent);
    if (!newParent) return { errno: ENOENT };
    // Exchange and no-replace: callers know how to do without.
    if (flags !== 0) return { errno: withFlags ? EINVAL : ENOSYS };
    const oldPath = this.#childPath(parent, from);
    const newPath = this.#childPath(newParent, to);
    const moved = fs.lstatSync(oldPath, { bigint: true });
    const replaced = fs.lstatSync(newPath, { bigint: true, throwIfNoEntry: false });
    if (replaced && replaced.ino !== moved.ino) this.#nodes.keepReachable(newPath, replaced);
    fs.renameSync(oldPath, newPath);
    // Two names of one file: the call does nothing, and both stay.
    if (replaced?.ino === moved.ino) return [];
    if (replaced) {
      const isGone = replaced.isDirectory() || replaced.nlink <= 1n;
      this.#nodes.removed(newParent, to, replaced.ino, isGone);
    }
    this.#nodes.renamed(parent, from, newParent, to, moved.ino);
    return [];
  }

  openDirectory(): FuseAnswer {
    const handle = this.#nextHandle;
    this.#nextHandle += 1n;
    this.#listings.set(handle, []);
    return [encodeOpened(handle, 0)];
  }

  releaseDirectory({ body }: FuseRequest): FuseAnswer {
    this.#listings.delete(body.readBigUInt64LE(0));
    return [];
  }

  /** In the order of the disk, as it was when the reading began. */
  readDirectory(node: FolderNode, { body }: FuseRequest, plus: boolean): FuseAnswer {
    const { handle, offset, sizeBytes } = decodeRead(body);
    const path = this.#nodes.pathOf(node);
    if (!path) return [];
    if (offset === 0n) this.#listings.set(handle, entriesOf(path));
    const listed = this.#listings.get(handle) ?? [];
    const answer = new DirectoryAnswer(sizeBytes, plus ? KNOWN : undefined);
    for (let place = Number(offset); place < listed.length; place += 1) {
      const entry = listed[place] as Listed;
      if (!answer.fits(entry.name)) break;
      const next = BigInt(place + 1);
      if (plus || this.#listsInodes) this.#addLine(answer, node, path, entry, next, plus);
      else answer.add({ name: entry.name, attributes: unlooked(entry), next });
    }
    return [answer.bytes()];
  }

  #addLine(
    answer: DirectoryAnswer,
    node: FolderNode,
    path: Buffer,
    { name }: Listed,
    next: bigint,
    plus: boolean,
  ): void {
    const childPath = Buffer.concat([path, Buffer.from('/'), name]);
    const stat = fs.lstatSync(childPath, { bigint: true, throwIfNoEntry: false });
    if (!stat) return;
    // The kernel knows these two by itself, and must not be told of them as if by a lookup.
    const isHeld = plus && !name.equals(HERE) && !name.equals(ABOVE);
    const number = isHeld ? this.#nodes.hold(node, name, stat).number : 0n;
    answer.add({ name, attributes: attributesOf(number, stat), next });
  }

  #made(
    parent: FolderNode,
    name: Buffer,
    { uid, gid }: FuseRequest,
    make: (path: Buffer) => void,
  ): FuseAnswer {
    const path = this.#childPath(parent, name);
    make(path);
    fs.lchownSync(path, uid, gid);
    const stat = fs.lstatSync(path, { bigint: true });
    return [encodeEntry(this.#held(parent, name, stat), KNOWN)];
  }

  #held(parent: FolderNode, name: Buffer, stat: fs.BigIntStats): NodeAttributes {
    return attributesOf(this.#nodes.hold(parent, name, stat).number, stat);
  }

  #nodeOf(entry: Buffer): FolderNode {
    return this.#nodes.get(entry.readBigUInt64LE(0)) as FolderNode;
  }

  #childPath(parent: FolderNode, name: Buffer): Buffer {
    const path = this.#nodes.childPath(parent, name);
    if (!path) throw Object.assign(new Error('the folder is gone'), { errno: -ENOENT });
    return path;
  }
}

const HERE = Buffer.from('.');
const ABOVE = Buffer.from('..');

/** `mode`: its type, as st_mode has it. */
type Listed = { name: Buffer; mode: number };

function entriesOf(path: Buffer): Listed[] {
  const entries = fs.readdirSync(path, { encoding: 'buffer', withFileTypes: true });
  const within = entries.map((entry) => ({ name: entry.name, mode: typeOf(entry) }));
  return [{ name: HERE, mode: S_IFDIR }, { name: ABOVE, mode: S_IFDIR }, ...within];
}

function typeOf(entry: fs.Dirent<Buffer>): number {
  if (entry.isFile()) return S_IFREG;
  if (entry.isDirectory()) return S_IFDIR;
  if (entry.isSymbolicLink()) return S_IFLNK;
  if (entry.isFIFO()) return S_IFIFO;
  if (entry.isSocket()) return S_IFSOCK;
  return entry.isBlockDevice() ? S_IFBLK : S_IFCHR;
}

/** What a list of names shows of an entry that nobody looked at. */
function unlooked({ mode }: Listed): NodeAttributes {
  return { ...NOTHING_KNOWN, mode };
}

/** FUSE_UNKNOWN_INO of libfuse: an inode of 0 would hide the name. */
const NOTHING_KNOWN: NodeAttributes = {
  ...{ node: 0xffffffffn, sizeBytes: 0n, mode: 0, links: 1, uid: 0, gid: 0, device: 0 },
  ...{ atimeNs: 0n, mtimeNs: 0n, ctimeNs: 0n },
};

function makeSpecial(path: Buffer, mode: number, device: number): void {
  const permissions = mode & 0o7777;
  const type = mode & S_IFMT;
  if (type === S_IFREG || type === 0) fs.closeSync(fs.openSync(path, 'wx', permissions));
  else if (type === S_IFIFO) makeFifo(path, permissions);
  else if (type === S_IFCHR) makeDevice(path, 'chardev', permissions, libcDevice(device));
  else if (type === S_IFBLK) makeDevice(path, 'dev', permissions, libcDevice(device));
  else throw Object.assign(new Error('no such kind of file'), { errno: -EINVAL });
}
