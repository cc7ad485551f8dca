/**
 * The header of a pack: one entry a blob, in the order in which the blobs lie. Offsets aren't stored; they are the sums
 * of the lengths before. Entries are 37 bytes (type, length, id) or, for compressed blobs, 41 (plus the plain length).
 */
import { errors } from '../errors.ts';
import { type BlobType, ID_BYTES } from '../names.ts';

/** Where a blob lies in its pack. `length` is that of the sealed bytes; `plainLength` that of the content. */
export type PackedBlob = {
  type: BlobType;
  /** 32 raw bytes. */
  id: Uint8Array;
  offset: number;
  length: number;
  /** True where zstd was applied before sealing. */
  compressed: boolean;
  plainLength: number;
};

/** A pack and what lies in it, as an index tells it. */
export type IndexedPack = { id: string; blobs: readonly PackedBlob[] };

const PLAIN_ENTRY_BYTES = 1 + 4 + ID_BYTES;
const COMPRESSED_ENTRY_BYTES = PLAIN_ENTRY_BYTES + 4;
const SEAL_BYTES = 32;
const COMPRESSED_BIT = 2;
const TREE_BIT = 1;

export const MAX_PACK_HEADER_BYTES = 16 * 1024 * 1024;

/** The plain header: seal it, then append its sealed length as uint32-LE (`sealPackTail`). */
export function encodePackHeader(blobs: readonly PackedBlob[]): Buffer {
  const header = Buffer.allocUnsafe(packHeaderBytes(blobs));
  let at = 0;
  for (const blob of blobs) {
    header[at] = (blob.type === 'tree' ? TREE_BIT : 0) | (blob.compressed ? COMPRESSED_BIT : 0);
    at = header.writeUInt32LE(blob.length, at + 1);
    if (blob.compressed) at = header.writeUInt32LE(blob.plainLength, at);
    header.set(blob.id, at);
    at += ID_BYTES;
  }
  return header;
}

export function packHeaderBytes(blobs: readonly PackedBlob[]): number {
  let bytes = 0;
  for (const { compressed } of blobs) bytes += headerEntryBytes(compressed);
  return bytes;
}

/** What a blob takes in a header. */
export function headerEntryBytes(compressed: boolean): number {
  return compressed ? COMPRESSED_ENTRY_BYTES : PLAIN_ENTRY_BYTES;
}

/** Throws `repository/pack-damaged` naming the pack where the bytes are no header. */
export function decodePackHeader(header: Uint8Array, packId: string): PackedBlob[] {
  const bytes = Buffer.from(header.buffer, header.byteOffset, header.byteLength);
  const blobs: PackedBlob[] = [];
  let offset = 0;
  let at = 0;
  while (at < bytes.length) {
    const kind = bytes[at] as number;
    const compressed = (kind & COMPRESSED_BIT) !== 0;
    const entryBytes = compressed ? COMPRESSED_ENTRY_BYTES : PLAIN_ENTRY_BYTES;
    if (kind > 3 || at + entryBytes > bytes.length) {
      throw errors.packDamaged([packId, `its header has no valid entry at byte ${at}`]);
    }
    const length = bytes.readUInt32LE(at + 1);
    const plainLength = compressed ? bytes.readUInt32LE(at + 5) : length - SEAL_BYTES;
    const idStart = at + entryBytes - ID_BYTES;
    blobs.push({
      type: kind & TREE_BIT ? 'tree' : 'data',
      id: bytes.subarray(idStart, idStart + ID_BYTES),
      offset,
      length,
      compressed,
      plainLength,
    });
    offset += length;
    at += entryBytes;
  }
  return blobs;
}
