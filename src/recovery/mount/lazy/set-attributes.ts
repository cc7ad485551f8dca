/** Permissions, owner and times of a file on disk, as the kernel asks for them. A symlink itself, never what it names. */
import fs, { type BigIntStats } from 'node:fs';
import { setTimes } from '#base';
import { SET, type SetAttributes } from '../fuse/change-requests.ts';

const NANOSECONDS = 1_000_000_000;

/** The size isn't set here. The kernel sends the times themselves, also where a program asked for now. */
export function setByPath(path: Buffer, before: BigIntStats, wanted: SetAttributes): void {
  const { uid, gid, atimeNs, mtimeNs, valid } = wantedOf(before, wanted);
  if (valid & (SET.uid | SET.gid)) fs.lchownSync(path, uid, gid);
  if (valid & SET.mode) fs.chmodSync(path, wanted.mode & 0o7777);
  if (valid & (SET.atime | SET.mtime)) setTimes(path, atimeNs, mtimeNs);
}

/** The same of a file that has no name any more; nobody will ask for its times to the nanosecond. */
export function setByDescriptor(
  descriptor: number,
  before: BigIntStats,
  wanted: SetAttributes,
): void {
  const { uid, gid, atimeNs, mtimeNs, valid } = wantedOf(before, wanted);
  if (valid & (SET.uid | SET.gid)) fs.fchownSync(descriptor, uid, gid);
  if (valid & SET.mode) fs.fchmodSync(descriptor, wanted.mode & 0o7777);
  if (valid & (SET.atime | SET.mtime)) {
    fs.futimesSync(descriptor, Number(atimeNs) / NANOSECONDS, Number(mtimeNs) / NANOSECONDS);
  }
}

/** With what stays as it was filled in. */
function wantedOf(before: BigIntStats, wanted: SetAttributes) {
  const { valid } = wanted;
  return {
    valid,
    uid: valid & SET.uid ? wanted.uid : Number(before.uid),
    gid: valid & SET.gid ? wanted.gid : Number(before.gid),
    atimeNs: valid & SET.atime ? wanted.atimeNs : before.atimeNs,
    mtimeNs: valid & SET.mtime ? wanted.mtimeNs : before.mtimeNs,
  };
}
