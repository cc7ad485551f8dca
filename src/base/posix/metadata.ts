/** Reading and applying everything that `FileMetadata` holds. Synchronous: a call takes microseconds. */
import fs from 'node:fs';
import { systemCode } from '../errors.ts';
import type { ExtendedAttribute, FileKind, FileMetadata } from '../file-metadata.ts';
import { groupName, userName } from './accounts.ts';
import { pathOfOpen } from './beneath.ts';
import {
  flagsAsAttribute,
  isFlagsAttribute,
  readInodeFlags,
  setInodeFlags,
  setInodeFlagsThere,
  setOpenInodeFlags,
} from './inode-flags.ts';
import { setOpenTimes, setTimes, setTimesThere } from './times.ts';
import { readXattrs, setOpenXattr, setXattr, setXattrThere } from './xattrs.ts';

const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK, S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK } = fs.constants;
const KIND_BY_TYPE = new Map<number, FileKind>([
  [S_IFREG, 'file'],
  [S_IFDIR, 'dir'],
  [S_IFLNK, 'symlink'],
  [S_IFBLK, 'dev'],
  [S_IFCHR, 'chardev'],
  [S_IFIFO, 'fifo'],
  [S_IFSOCK, 'socket'],
]);

export function kindOf(mode: number): FileKind {
  return KIND_BY_TYPE.get(mode & S_IFMT) ?? 'socket';
}

/**
 * All metadata of the entry itself; a symlink isn't followed. Throws Node's system errors (ENOENT, EACCES, EIO), also
 * where the entry vanishes between the calls.
 */
export function readMetadata(path: Buffer): FileMetadata {
  const stat = fs.lstatSync(path, { bigint: true });
  return completeMetadata(path, {
    mode: Number(stat.mode),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtimeNs: stat.mtimeNs,
    atimeNs: stat.atimeNs,
    ctimeNs: stat.ctimeNs,
    inode: stat.ino,
    deviceId: stat.dev,
    links: stat.nlink,
    sizeBytes: stat.size,
    device: stat.rdev,
    inodeFlags: stat.isFile() || stat.isDirectory() ? readInodeFlags(path) : 0,
  });
}

/** What one look-up tells; `sizeBytes` and `device` of whatever kind of entry. */
export type LookedUp = { mode: number; inodeFlags: number } & Required<
  Pick<
    FileMetadata,
    | ('uid' | 'gid' | 'mtimeNs' | 'atimeNs' | 'ctimeNs')
    | ('inode' | 'deviceId' | 'links' | 'sizeBytes' | 'device')
  >
>;

/** What was looked up, with what takes further calls: names, attributes, the link's target. Throws system errors. */
export function completeMetadata(path: Buffer, lookedUp: LookedUp): FileMetadata {
  const { mode, uid, gid, device } = lookedUp;
  const kind = kindOf(mode);
  const metadata: FileMetadata = {
    kind,
    permissions: mode & 0o7777,
    mtimeNs: lookedUp.mtimeNs,
    atimeNs: lookedUp.atimeNs,
    ctimeNs: lookedUp.ctimeNs,
    uid,
    gid,
    user: userName(uid),
    group: groupName(gid),
    inode: lookedUp.inode,
    deviceId: lookedUp.deviceId,
    links: lookedUp.links,
    sizeBytes: kind === 'file' ? lookedUp.sizeBytes : 0n,
    xattrs: readXattrs(path),
  };
  if (kind === 'file' || kind === 'dir') {
    metadata.xattrs.push(...flagsAsAttribute(lookedUp.inodeFlags));
  }
  if (kind === 'symlink') metadata.linkTarget = fs.readlinkSync(path, 'buffer');
  if (kind === 'dev' || kind === 'chardev') metadata.device = device;
  return metadata;
}

export type ApplyOptions = {
  /** `recorded`: the ids that the metadata holds; an account: everything belongs to it; `current`: left as created. */
  owner: 'recorded' | 'current' | { uid: number; gid: number };
  /** Also the flags of chattr(1), with which an entry may not be changed or removed afterwards. Default: left out. */
  inodeFlags?: boolean;
};

/** A part that couldn't be applied; the rest is. */
export type MetadataFailure = {
  part: 'owner' | 'permissions' | 'xattr' | 'times';
  /** System error code: `EPERM`. */
  code: string;
  /** Name of the attribute, for `xattr`. */
  attribute?: string;
};

/** What is applied: everything but what the file system decides by itself. */
export type AppliedMetadata = Pick<
  FileMetadata,
  'kind' | 'permissions' | 'uid' | 'gid' | 'xattrs' | 'atimeNs' | 'mtimeNs'
>;

/**
 * Gives an existing entry its owner, attributes, permissions and times, in the order in which none undoes another.
 * Setuid and setgid are left off where the recorded owner couldn't be set: they would lend the wrong rights.
 * May be called again. Directories: only after everything below them is done, else their times change again.
 */
export function applyMetadata(
  path: Buffer,
  metadata: AppliedMetadata,
  options: ApplyOptions,
): MetadataFailure[] {
  return applyBy(metadata, options, {
    own: (uid, gid) => fs.lchownSync(path, uid, gid),
    permit: (permissions) => fs.chmodSync(path, permissions),
    setXattr: (attribute) => setXattr(path, attribute),
    setTimes: (atimeNs, mtimeNs) => setTimes(path, atimeNs, mtimeNs),
    setFlags: (attribute) => setInodeFlags(path, attribute),
  });
}

/** The same for a regular file that is open for writing: no path is looked up again, and no other file can be meant. */
export function applyMetadataToOpen(
  file: number,
  metadata: AppliedMetadata,
  options: ApplyOptions,
): MetadataFailure[] {
  return applyBy(metadata, options, {
    own: (uid, gid) => fs.fchownSync(file, uid, gid),
    permit: (permissions) => fs.fchmodSync(file, permissions),
    setXattr: (attribute) => setOpenXattr(file, attribute),
    setTimes: (atimeNs, mtimeNs) => setOpenTimes(file, atimeNs, mtimeNs),
    setFlags: (attribute) => setOpenInodeFlags(file, attribute),
  });
}

/**
 * The same for any entry of which a descriptor is open, of whatever kind (O_PATH is enough): no name is looked up, so
 * that no other entry can be meant. Only where `canOpenBeneath`.
 */
export function applyMetadataThere(
  descriptor: number,
  metadata: AppliedMetadata,
  options: ApplyOptions,
): MetadataFailure[] {
  const path = pathOfOpen(descriptor);
  return applyBy(metadata, options, {
    own: (uid, gid) => fs.chownSync(path, uid, gid),
    permit: (permissions) => fs.chmodSync(path, permissions),
    setXattr: (attribute) => setXattrThere(path, attribute),
    setTimes: (atimeNs, mtimeNs) => setTimesThere(path, atimeNs, mtimeNs),
    setFlags: (attribute) => setInodeFlagsThere(path, attribute),
  });
}

/** Each throws system errors. */
type Calls = {
  own: (uid: number, gid: number) => void;
  permit: (permissions: number) => void;
  setXattr: (attribute: ExtendedAttribute) => void;
  setTimes: (atimeNs: bigint, mtimeNs: bigint) => void;
  setFlags: (attribute: ExtendedAttribute) => void;
};

function applyBy(
  metadata: AppliedMetadata,
  options: ApplyOptions,
  calls: Calls,
): MetadataFailure[] {
  const failures: MetadataFailure[] = [];
  const attempt = (part: MetadataFailure['part'], apply: () => void, attribute?: string) => {
    try {
      apply();
      return true;
    } catch (error) {
      const failure: MetadataFailure = { part, code: systemCode(error) ?? 'EIO' };
      failures.push(attribute === undefined ? failure : { ...failure, attribute });
      return false;
    }
  };
  const owner = options.owner === 'recorded' ? metadata : options.owner;
  // Changing the owner clears setuid and file capabilities, so it comes first.
  const owned = attempt('owner', () => {
    if (owner !== 'current') calls.own(owner.uid, owner.gid);
  });
  if (metadata.kind !== 'symlink') {
    const keepsSpecialBits = owned && options.owner === 'recorded';
    const permissions = keepsSpecialBits ? metadata.permissions : withoutSetId(metadata);
    attempt('permissions', () => calls.permit(permissions));
  }
  // After permissions: an ACL is an attribute and holds the exact rights of owner, mask and others.
  for (const attribute of metadata.xattrs) {
    if (isFlagsAttribute(attribute)) continue;
    attempt('xattr', () => calls.setXattr(attribute), attribute.name.toString());
  }
  attempt('times', () => calls.setTimes(metadata.atimeNs, metadata.mtimeNs));
  // Last: nothing may be changed once an entry is immutable.
  const flags = options.inodeFlags ? metadata.xattrs.find(isFlagsAttribute) : undefined;
  if (flags) attempt('xattr', () => calls.setFlags(flags), flags.name.toString());
  return failures;
}

function withoutSetId(metadata: AppliedMetadata): number {
  // On a directory setgid means "inherit the group": harmless and wanted.
  return metadata.kind === 'dir' ? metadata.permissions : metadata.permissions & 0o1777;
}
