/** Requests that change something, decoded; layouts as in include/uapi/linux/fuse.h. Names are raw bytes. */
import { decodeName } from './wire.ts';

/** Bits of SETATTR's `valid`. */
export const SET = {
  mode: 1 << 0,
  uid: 1 << 1,
  gid: 1 << 2,
  size: 1 << 3,
  atime: 1 << 4,
  mtime: 1 << 5,
  handle: 1 << 6,
  atimeNow: 1 << 7,
  mtimeNow: 1 << 8,
} as const;

const NANOSECONDS = 1_000_000_000n;

export type SetAttributes = {
  valid: number;
  handle: bigint;
  sizeBytes: bigint;
  atimeNs: bigint;
  mtimeNs: bigint;
  mode: number;
  uid: number;
  gid: number;
};

export function decodeSetAttributes(body: Buffer): SetAttributes {
  return {
    valid: body.readUInt32LE(0),
    handle: body.readBigUInt64LE(8),
    sizeBytes: body.readBigUInt64LE(16),
    atimeNs: body.readBigInt64LE(32) * NANOSECONDS + BigInt(body.readUInt32LE(56)),
    mtimeNs: body.readBigInt64LE(40) * NANOSECONDS + BigInt(body.readUInt32LE(60)),
    mode: body.readUInt32LE(68),
    uid: body.readUInt32LE(76),
    gid: body.readUInt32LE(80),
  };
}

export type WriteRequest = {
  handle: bigint;
  offset: number;
  data: Buffer;
  /** The kernel took it of a program before, and told that it was written. */
  isWrittenBehind: boolean;
};

const WRITE_HEAD_BYTES = 40;
/** FUSE_WRITE_CACHE */
const WRITTEN_BEHIND = 1;

/** `data` is a view of the request. */
export function decodeWrite(body: Buffer): WriteRequest {
  const sizeBytes = body.readUInt32LE(16);
  return {
    handle: body.readBigUInt64LE(0),
    offset: Number(body.readBigUInt64LE(8)),
    data: body.subarray(WRITE_HEAD_BYTES, WRITE_HEAD_BYTES + sizeBytes),
    isWrittenBehind: (body.readUInt32LE(20) & WRITTEN_BEHIND) !== 0,
  };
}

export function encodeWritten(sizeBytes: number): Buffer {
  const answer = Buffer.alloc(8);
  answer.writeUInt32LE(sizeBytes, 0);
  return answer;
}

export function decodeOpenFlags(body: Buffer): number {
  return body.readUInt32LE(0);
}

export function decodeCreate(body: Buffer): { flags: number; mode: number; name: Buffer } {
  return { flags: body.readUInt32LE(0), mode: body.readUInt32LE(4), name: decodeName(body, 16) };
}

export function decodeMakeDirectory(body: Buffer): { mode: number; name: Buffer } {
  return { mode: body.readUInt32LE(0), name: decodeName(body, 8) };
}

export function decodeMakeNode(body: Buffer): { mode: number; device: number; name: Buffer } {
  return { mode: body.readUInt32LE(0), device: body.readUInt32LE(4), name: decodeName(body, 16) };
}

export function decodeSymlink(body: Buffer): { name: Buffer; target: Buffer } {
  const name = decodeName(body);
  return { name, target: decodeName(body, name.length + 1) };
}

export function decodeLink(body: Buffer): { node: bigint; name: Buffer } {
  return { node: body.readBigUInt64LE(0), name: decodeName(body, 8) };
}

export type RenameRequest = { toParent: bigint; flags: number; from: Buffer; to: Buffer };

/** RENAME, or RENAME2, which has flags. */
export function decodeRename(body: Buffer, withFlags: boolean): RenameRequest {
  const at = withFlags ? 16 : 8;
  const from = decodeName(body, at);
  return {
    toParent: body.readBigUInt64LE(0),
    flags: withFlags ? body.readUInt32LE(8) : 0,
    from,
    to: decodeName(body, at + from.length + 1),
  };
}

export function decodeSync(body: Buffer): { handle: bigint; dataOnly: boolean } {
  return { handle: body.readBigUInt64LE(0), dataOnly: (body.readUInt32LE(8) & 1) !== 0 };
}

export type SetAttributeRequest = { name: Buffer; value: Buffer; flags: number };

/** SETXATTR, as it is without FUSE_SETXATTR_EXT. `flags`: as setxattr(2) has them. */
export function decodeSetAttribute(body: Buffer): SetAttributeRequest {
  const sizeBytes = body.readUInt32LE(0);
  const name = decodeName(body, 8);
  const at = 8 + name.length + 1;
  return { name, value: body.subarray(at, at + sizeBytes), flags: body.readUInt32LE(4) };
}

export type AllocateRequest = { handle: bigint; offset: bigint; lengthBytes: bigint; mode: number };

export function decodeAllocate(body: Buffer): AllocateRequest {
  return {
    handle: body.readBigUInt64LE(0),
    offset: body.readBigUInt64LE(8),
    lengthBytes: body.readBigUInt64LE(16),
    mode: body.readUInt32LE(24),
  };
}
