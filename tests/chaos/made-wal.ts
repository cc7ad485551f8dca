/** Write-ahead log that no server wrote, with a record of each sort that is read: seeds for the fuzzer. */
import { CRC32C_START, crc32cEnd, crc32cUpdate } from '../../src/sources/postgres/wal/crc32c.ts';
import { WalDecoder } from '../../src/sources/postgres/wal/decode.ts';
import { WAL_PAGE_SIZE_BYTES } from '../../src/sources/postgres/wal/page.ts';
import { RECORD_HEADER_BYTES } from '../../src/sources/postgres/wal/record.ts';

const SEGMENT = 0x100_0000;
/** Where a record begins that goes on in the next page. */
const LATE_IN_PAGE = SEGMENT + WAL_PAGE_SIZE_BYTES - 64;

type Made = { resource: number; info: number; data: Buffer };

const TIME = Buffer.alloc(8, 1);

const records: readonly Made[] = [
  { resource: 10, info: 0, data: Buffer.alloc(50, 'x') },
  { resource: 1, info: 0x00, data: TIME },
  { resource: 1, info: 0x30, data: Buffer.concat([TIME, Buffer.alloc(20)]) },
  {
    resource: 0,
    info: 0x70,
    data: Buffer.concat([TIME, Buffer.from('before deploy'.padEnd(64, '\0'))]),
  },
  { resource: 5, info: 0x00, data: Buffer.from('\x01\0\0\0/spaces/fast\0', 'latin1') },
  { resource: 0, info: 0x40, data: Buffer.alloc(0) },
];

/** With its header of xlogrecord.h; the main data has a header of two bytes. */
function recordOf({ resource, info, data }: Made, previous: number): Buffer {
  const body = data.length === 0 ? data : Buffer.concat([Buffer.from([255, data.length]), data]);
  const header = Buffer.alloc(RECORD_HEADER_BYTES);
  header.writeUInt32LE(RECORD_HEADER_BYTES + body.length, 0);
  header.writeUInt32LE(7, 4);
  header.writeBigUInt64LE(BigInt(previous), 8);
  header[16] = info;
  header[17] = resource;
  const sum = crc32cUpdate(crc32cUpdate(CRC32C_START, body, 0, body.length), header, 0, 20);
  header.writeUInt32LE(crc32cEnd(sum), 20);
  return Buffer.concat([header, body]);
}

/** With a long header (xlog_internal.h) where it opens the segment; `owed`: of a record that an earlier page began. */
function pageHeader(address: number, owed: number): Buffer {
  const isFirst = address === SEGMENT;
  const header = Buffer.alloc(isFirst ? 40 : 24);
  header.writeUInt16LE(0xd110, 0);
  header.writeUInt16LE((owed > 0 ? 1 : 0) | (isFirst ? 2 : 0), 2);
  header.writeUInt32LE(1, 4);
  header.writeBigUInt64LE(BigInt(address), 8);
  header.writeUInt32LE(owed, 16);
  if (!isFirst) return header;
  header.writeBigUInt64LE(0x1234n, 24);
  header.writeUInt32LE(SEGMENT, 32);
  header.writeUInt32LE(WAL_PAGE_SIZE_BYTES, 36);
  return header;
}

/** All records from there on, and some bytes that follow. */
function madeWal(start: number): Buffer {
  const parts: Buffer[] = [];
  let at = start;
  const write = (bytes: Buffer) => {
    parts.push(bytes);
    at += bytes.length;
  };
  const writeInPages = (bytes: Buffer) => {
    for (let from = 0; from < bytes.length; ) {
      if (at % WAL_PAGE_SIZE_BYTES === 0) write(pageHeader(at, from > 0 ? bytes.length - from : 0));
      const room = WAL_PAGE_SIZE_BYTES - (at % WAL_PAGE_SIZE_BYTES);
      write(bytes.subarray(from, from + room));
      from += room;
    }
  };
  let previous = start - 64;
  for (const made of records) {
    const isPageStart = at % WAL_PAGE_SIZE_BYTES === 0;
    const begins = isPageStart ? at + pageHeader(at, 0).length : at;
    writeInPages(recordOf(made, previous));
    previous = begins;
    write(Buffer.alloc((8 - (at % 8)) % 8));
  }
  write(Buffer.alloc(64));
  return Buffer.concat(parts);
}

export const madeWals = [madeWal(SEGMENT), madeWal(LATE_IN_PAGE)];

/** In every way in which it is read: from either start, with checksums and, as a recovery does, without. */
export function decodeMadeWal(bytes: Buffer): unknown {
  return [SEGMENT, LATE_IN_PAGE].flatMap((start) =>
    [true, false].map((checksums) => decodeHalves(start, checksums, bytes)),
  );
}

function decodeHalves(start: number, checksums: boolean, bytes: Buffer): unknown {
  const seen: unknown[] = [];
  const decoder = new WalDecoder(BigInt(start), {
    checksums,
    onEvent: (event) => seen.push(event),
    onTablespace: (at) => seen.push(at),
  });
  const half = bytes.length >>> 1;
  decoder.push(bytes.subarray(0, half));
  decoder.push(bytes.subarray(half));
  return { seen, end: decoder.end, recordEnd: decoder.recordEnd, line: decoder.line };
}
