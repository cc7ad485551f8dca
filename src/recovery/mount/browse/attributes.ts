/** Nodes as a stat shows them. */
import type { FileKind } from '#base';
import { kernelDevice } from '../fuse/device-number.ts';
import type { NodeAttributes } from '../fuse/wire.ts';
import type { BrowseNode } from './nodes.ts';

/** Types of st_mode. */
const TYPE_BITS: Record<FileKind, number> = {
  fifo: 0o010000,
  chardev: 0o020000,
  dir: 0o040000,
  dev: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
};

const OUR_FOLDER = TYPE_BITS.dir | 0o555;
const NS_PER_MS = 1_000_000n;

/** `sizeBytes`: of a regular file, as its blobs have it. */
export function attributesOf(node: BrowseNode, sizeBytes: bigint): NodeAttributes {
  if (node.kind !== 'entry') return ourAttributes(node);
  const { entry } = node;
  return {
    node: node.number,
    sizeBytes: entry.kind === 'symlink' ? BigInt(entry.linkTarget?.length ?? 0) : sizeBytes,
    mode: TYPE_BITS[entry.kind] | entry.permissions,
    links: Number(entry.links > 0n ? BigInt.asUintN(32, entry.links) : 1n),
    uid: entry.uid,
    gid: entry.gid,
    device: entry.device === undefined ? 0 : kernelDevice(entry.device),
    atimeNs: entry.atimeNs,
    mtimeNs: entry.mtimeNs,
    ctimeNs: entry.ctimeNs,
  };
}

function ourAttributes(node: Exclude<BrowseNode, { kind: 'entry' }>): NodeAttributes {
  const timeNs = node.kind === 'snapshot' ? BigInt(Math.round(node.timeMs)) * NS_PER_MS : 0n;
  return {
    node: node.number,
    sizeBytes: node.kind === 'link' ? BigInt(Buffer.byteLength(node.target)) : 0n,
    mode: node.kind === 'link' ? TYPE_BITS.symlink | 0o777 : OUR_FOLDER,
    links: 1,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    device: 0,
    atimeNs: timeNs,
    mtimeNs: timeNs,
    ctimeNs: timeNs,
  };
}
