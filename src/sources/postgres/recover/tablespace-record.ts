import type { FileHandle } from 'node:fs/promises';
import { writeWhole } from '#base';
import { CRC32C_START, crc32cEnd, crc32cUpdate } from '../wal/crc32c.ts';
import { LONG_HEADER_BYTES, SHORT_HEADER_BYTES, WAL_PAGE_SIZE_BYTES } from '../wal/page.ts';
import { mainDataStart, RECORD_HEADER_BYTES, recordLength } from '../wal/record.ts';

/** Reads and writes WAL by address over the files of its segments. */
export type WalBytes = {
  segmentSizeBytes: number;
  /** The file that holds this address; it stays open until the caller closes it. */
  fileAt(lsn: bigint): Promise<FileHandle>;
};

const CHECKSUM_AT = 20;
const OID_BYTES = 4;

/**
 * Rewrites the record of a CREATE TABLESPACE in a copy's own WAL so that replay makes the tablespace within the data
 * directory (Postgres: an empty location, "in place") and not in the folder of production that it names. The record
 * keeps its length, and gets a new checksum.
 */
export async function keepTablespaceInside(wal: WalBytes, start: bigint): Promise<void> {
  const head = await transfer(wal, start, Buffer.alloc(RECORD_HEADER_BYTES), 'read');
  const record = await transfer(wal, start, Buffer.alloc(recordLength(head, 0)), 'read');
  const main = mainDataStart(record, RECORD_HEADER_BYTES, record.length);
  if (main === undefined) return;
  record.fill(0, main + OID_BYTES);
  const body = crc32cUpdate(CRC32C_START, record, RECORD_HEADER_BYTES, record.length);
  record.writeUInt32LE(crc32cEnd(crc32cUpdate(body, record, 0, CHECKSUM_AT)), CHECKSUM_AT);
  await transfer(wal, start, record, 'write');
}

/** Moves a record between its buffer and the files, around the page headers that lie within it. */
async function transfer(
  wal: WalBytes,
  start: bigint,
  record: Buffer,
  way: 'read' | 'write',
): Promise<Buffer> {
  const segmentSize = BigInt(wal.segmentSizeBytes);
  let lsn = start;
  let done = 0;
  while (done < record.length) {
    const inSegment = Number(lsn % segmentSize);
    const inPage = inSegment % WAL_PAGE_SIZE_BYTES;
    if (inPage === 0) {
      lsn += BigInt(inSegment === 0 ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES);
      continue;
    }
    const length = Math.min(WAL_PAGE_SIZE_BYTES - inPage, record.length - done);
    const file = await wal.fileAt(lsn);
    if (way === 'read') await file.read(record, done, length, inSegment);
    else await writeWhole(file, record.subarray(done, done + length), inSegment);
    done += length;
    lsn += BigInt(length);
  }
  return record;
}
