/**
 * Headers of a tar archive: ustar (POSIX.1-1988) for what fits there, extended headers (pax, POSIX.1-2001) for what
 * doesn't: long paths, large numbers, times below a second, attributes (`SCHILY.xattr.*`, as star, GNU tar and bsdtar
 * know them). Names are raw bytes; where such a name must go into an extended header and is no UTF-8, the header says
 * so (`hdrcharset=BINARY`).
 */
import { isUtf8 } from 'node:buffer';
import { isFlagsAttribute } from '#base';
import type { TreeNode } from '#repository';
import { aclText } from './posix-acl.ts';

export const TAR_BLOCK_BYTES = 512;

/** Two blocks of zeros. */
export const TAR_END = Buffer.alloc(2 * TAR_BLOCK_BYTES);

export type TarEntry = {
  /** Relative; directories without a slash at the end. */
  path: Buffer;
  node: TreeNode;
  sizeBytes: number;
  /** Path of the entry in the archive that this one is another name of. */
  sameAs?: Buffer;
};

const TYPES: Record<TreeNode['kind'], string> = {
  file: '0',
  symlink: '2',
  chardev: '3',
  dev: '4',
  dir: '5',
  fifo: '6',
  socket: '0',
};
const HARD_LINK = '1';
const EXTENDED = 'x';

const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
/** Octal digits that the fields hold. */
const MAX_ID = 0o7777777;
const MAX_SIZE = 0o77777777777;
const MAX_TIME = 0o77777777777;

/** All blocks before the content. */
export function tarHeader(entry: TarEntry): Buffer {
  const { path, node, sameAs } = entry;
  const shown = node.kind === 'dir' ? Buffer.concat([path, Buffer.from('/')]) : path;
  const target = sameAs ?? (node.kind === 'symlink' ? node.linkTarget : undefined);
  const records = extendedRecords(entry, shown, target);
  const header = plainHeader(entry, shown, target);
  if (records.length === 0) return header;
  const body = Buffer.concat(records);
  const before = block({ name: Buffer.from('pax_header'), type: EXTENDED, sizeBytes: body.length });
  return Buffer.concat([before, body, Buffer.alloc(tarPadding(body.length)), header]);
}

/** Zeros after a content, up to the next block. */
export function tarPadding(sizeBytes: number): number {
  return (TAR_BLOCK_BYTES - (sizeBytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;
}

function plainHeader(
  { node, sizeBytes, sameAs }: TarEntry,
  path: Buffer,
  target: Buffer | undefined,
): Buffer {
  const split = splitPath(path) ?? { prefix: Buffer.alloc(0), name: path.subarray(0, NAME_BYTES) };
  return block({
    ...split,
    type: sameAs ? HARD_LINK : TYPES[node.kind],
    sizeBytes: sizeBytes <= MAX_SIZE ? sizeBytes : 0,
    mode: node.permissions,
    uid: node.uid <= MAX_ID ? node.uid : 0,
    gid: node.gid <= MAX_ID ? node.gid : 0,
    mtime: plainTime(node.mtimeNs),
    ...(target && { target: target.subarray(0, NAME_BYTES) }),
    user: fits(node.user, 31) ? node.user : '',
    group: fits(node.group, 31) ? node.group : '',
    device: node.device ?? 0n,
  });
}

function extendedRecords(
  { node, sizeBytes, sameAs }: TarEntry,
  path: Buffer,
  target: Buffer | undefined,
): Buffer[] {
  const records: Buffer[] = [];
  const put = (key: string, value: Buffer | string) => records.push(record(key, value));
  const longPath = splitPath(path) ? undefined : path;
  const longTarget = target && target.length > NAME_BYTES ? target : undefined;
  if ([longPath, longTarget].some((bytes) => bytes && !isUtf8(bytes))) put('hdrcharset', 'BINARY');
  if (longPath) put('path', longPath);
  if (longTarget) put('linkpath', longTarget);
  if (sizeBytes > MAX_SIZE) put('size', String(sizeBytes));
  if (node.uid > MAX_ID) put('uid', String(node.uid));
  if (node.gid > MAX_ID) put('gid', String(node.gid));
  if (node.user && !fits(node.user, 31)) put('uname', node.user);
  if (node.group && !fits(node.group, 31)) put('gname', node.group);
  if (plainTime(node.mtimeNs) * NS_PER_SECOND !== node.mtimeNs) {
    put('mtime', secondsText(node.mtimeNs));
  }
  const attributes = sameAs ? [] : node.xattrs.filter((one) => !isFlagsAttribute(one));
  for (const { name, value } of attributes) putAttribute(put, name, value);
  return records;
}

function putAttribute(
  put: (key: string, value: Buffer | string) => void,
  name: Buffer,
  value: Buffer,
): void {
  const text = name.toString('latin1');
  const acl = /^system\.posix_acl_(access|default)$/.exec(text)?.[1];
  const shown = acl && aclText(value);
  if (shown) put(`SCHILY.acl.${acl}`, shown);
  // A key ends at the first equals sign.
  else if (!text.includes('=')) put(`SCHILY.xattr.${name}`, value);
}

const NS_PER_SECOND = 1_000_000_000n;

/** Seconds that the field holds: 0 where an extended header tells better. */
function plainTime(mtimeNs: bigint): bigint {
  const seconds = mtimeNs / NS_PER_SECOND;
  return seconds >= 0n && seconds <= BigInt(MAX_TIME) ? seconds : 0n;
}

function secondsText(timeNs: bigint): string {
  const sign = timeNs < 0n ? '-' : '';
  const digits = (timeNs < 0n ? -timeNs : timeNs).toString().padStart(10, '0');
  return `${sign}${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/\.?0+$/, '');
}

function fits(text: string, bytes: number): boolean {
  return Buffer.byteLength(text) <= bytes;
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function record(key: string, value: Buffer | string): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as string), LINE_END]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) {
    length = String(length).length + rest.length;
  }
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

const LINE_END = Buffer.from('\n');

/** Into the two fields of ustar, at a slash; undefined where it doesn't fit. */
function splitPath(path: Buffer): { prefix: Buffer; name: Buffer } | undefined {
  if (path.length <= NAME_BYTES) return { prefix: Buffer.alloc(0), name: path };
  const earliest = path.length - NAME_BYTES - 1;
  const slash = path.indexOf(0x2f, Math.max(1, earliest));
  if (slash < 0 || slash > PREFIX_BYTES || slash === path.length - 1) return undefined;
  return { prefix: path.subarray(0, slash), name: path.subarray(slash + 1) };
}

type Fields = {
  name: Buffer;
  type: string;
  sizeBytes: number;
  prefix?: Buffer;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: bigint;
  target?: Buffer;
  user?: string;
  group?: string;
  device?: bigint;
};

function block(fields: Fields): Buffer {
  const bytes = Buffer.alloc(TAR_BLOCK_BYTES);
  const octal = (value: number | bigint, at: number, width: number) =>
    bytes.write(
      value
        .toString(8)
        .padStart(width - 1, '0')
        .slice(-(width - 1)),
      at,
      'latin1',
    );
  bytes.set(fields.name, 0);
  octal(fields.mode ?? 0o600, 100, 8);
  octal(fields.uid ?? 0, 108, 8);
  octal(fields.gid ?? 0, 116, 8);
  octal(fields.sizeBytes, 124, 12);
  octal(fields.mtime ?? 0n, 136, 12);
  bytes.write(fields.type, 156, 'latin1');
  if (fields.target) bytes.set(fields.target, 157);
  bytes.write('ustar\x0000', 257, 'latin1');
  bytes.write(fields.user ?? '', 265);
  bytes.write(fields.group ?? '', 297);
  octal(deviceMajor(fields.device ?? 0n), 329, 8);
  octal(deviceMinor(fields.device ?? 0n), 337, 8);
  if (fields.prefix) bytes.set(fields.prefix, 345);
  bytes.fill(' ', 148, 156);
  let sum = 0;
  for (const byte of bytes) sum += byte;
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

/** As glibc packs them into st_rdev (sys/sysmacros.h). */
function deviceMajor(device: bigint): bigint {
  return ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xffff_f000n);
}

function deviceMinor(device: bigint): bigint {
  return (device & 0xffn) | ((device >> 12n) & 0xffff_ff00n);
}
