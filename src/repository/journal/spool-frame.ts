/**
 * One record of a spool file: a header of 32 bytes and the journal's bytes. The checksum covers both, so that after a
 * crash the torn end of a file is told from what was written whole.
 */
import { crc32 } from 'node:zlib';

export const FRAME_HEADER_BYTES = 32;
/** Larger appends are cut: a reader needs no more memory than this for one frame. */
export const MAX_FRAME_BYTES = 2 ** 20;

/** "HFS1", little-endian. */
const MAGIC = 0x31534648;

export type Frame = {
  offset: bigint;
  /** Sender's clock, ms, at the newest byte. */
  sentAtMs: number;
  bytes: Buffer;
};

/**
 * The header that goes before the bytes:
 * magic u32, length u32, offset u64, sentAtMs f64, crc32 u32 (of the first 24 bytes and the payload), zero u32.
 */
export function frameHeader(frame: Frame): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt32LE(frame.bytes.length, 4);
  header.writeBigUInt64LE(frame.offset, 8);
  header.writeDoubleLE(frame.sentAtMs, 16);
  header.writeUInt32LE(crc32(frame.bytes, crc32(header.subarray(0, 24))), 24);
  return header;
}

/**
 * The frame at `at`. Undefined where these bytes hold none: cut off, never written, damaged. The frame's bytes are a
 * view of the given ones.
 */
export function frameAt(bytes: Buffer, at: number): Frame | undefined {
  if (bytes.length - at < FRAME_HEADER_BYTES) return undefined;
  if (bytes.readUInt32LE(at) !== MAGIC) return undefined;
  const length = bytes.readUInt32LE(at + 4);
  if (length === 0 || length > MAX_FRAME_BYTES) return undefined;
  const start = at + FRAME_HEADER_BYTES;
  if (bytes.length - start < length) return undefined;
  const payload = bytes.subarray(start, start + length);
  const sum = crc32(payload, crc32(bytes.subarray(at, at + 24)));
  if (sum !== bytes.readUInt32LE(at + 24)) return undefined;
  return {
    offset: bytes.readBigUInt64LE(at + 8),
    sentAtMs: bytes.readDoubleLE(at + 16),
    bytes: payload,
  };
}

export const frameSize = (frame: Frame) => FRAME_HEADER_BYTES + frame.bytes.length;
