/**
 * WAL records as far as recovery to an instant needs them: their header, and of commits and restore points the time and
 * name (Postgres: `XLogRecord` of access/xlogrecord.h, `xl_xact_commit` of access/xact.h, `xl_restore_point`).
 */
import { crc32cEnd, crc32cUpdate } from './crc32c.ts';

export const RECORD_HEADER_BYTES = 24;
/** Header bytes that the record's checksum covers, after the body; the checksum follows them. */
const CHECKED_HEADER_BYTES = 20;
/** Beginning of a body within which all lies that is read of it. */
export const BODY_PREFIX_BYTES = 96;

const RESOURCE_XLOG = 0;
const RESOURCE_TRANSACTION = 1;
const RESOURCE_TABLESPACE = 5;
const XLOG_SWITCH = 0x40;
const XLOG_RESTORE_POINT = 0x70;
const TABLESPACE_CREATE = 0x00;
const TRANSACTION_COMMIT = 0x00;
const TRANSACTION_COMMIT_PREPARED = 0x30;

const RESTORE_POINT_NAME_BYTES = 64;
const MICROS_1970_TO_2000 = 946_684_800_000_000;

export type RecordSort =
  | 'commit'
  | 'commit-prepared'
  | 'restore-point'
  | 'create-tablespace'
  | 'switch'
  | 'other';

/** What a record is, by the `xl_info` and `xl_rmid` of its header, which begins at `at`. */
export function sortOfRecord(bytes: Uint8Array, at: number): RecordSort {
  const info = bytes[at + 16] as number;
  const resource = bytes[at + 17];
  if (resource === RESOURCE_TRANSACTION) {
    const operation = info & 0x70;
    if (operation === TRANSACTION_COMMIT) return 'commit';
    return operation === TRANSACTION_COMMIT_PREPARED ? 'commit-prepared' : 'other';
  }
  if (resource === RESOURCE_XLOG) {
    const operation = info & 0xf0;
    if (operation === XLOG_SWITCH) return 'switch';
    return operation === XLOG_RESTORE_POINT ? 'restore-point' : 'other';
  }
  if (resource === RESOURCE_TABLESPACE && (info & 0xf0) === TABLESPACE_CREATE) {
    return 'create-tablespace';
  }
  return 'other';
}

/** Length of the record with its header (`xl_tot_len`). */
export function recordLength(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at);
}

/** Address of the record before this one (`xl_prev`), in its halves. */
export function previousHigh(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 12);
}

export function previousLow(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 8);
}

/** Whether the header at `at` holds this checksum. `crc` is the state over the record's body. */
export function isChecksum(crc: number, bytes: Uint8Array, at: number): boolean {
  const checkedTo = at + CHECKED_HEADER_BYTES;
  return crc32cEnd(crc32cUpdate(crc, bytes, at, checkedTo)) === readU32(bytes, checkedTo);
}

/** Bytes between the end of a record and where the next may begin: a multiple of 8. */
export function paddingAfter(end: number): number {
  return (8 - (end % 8)) % 8;
}

function readU32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

/** Where the main data begins within [from, to) of a body without block references; undefined where it has some. */
export function mainDataStart(bytes: Uint8Array, from: number, to: number): number | undefined {
  const SHORT_DATA = 255;
  const LONG_DATA = 254;
  const ORIGIN = 253;
  const TOP_TRANSACTION = 252;
  let at = from;
  while (at < to) {
    const id = bytes[at];
    if (id === SHORT_DATA) return at + 2;
    if (id === LONG_DATA) return at + 5;
    if (id === ORIGIN) at += 3;
    else if (id === TOP_TRANSACTION) at += 5;
    else return undefined;
  }
  return undefined;
}

/** The time with which the main data of commits and restore points begins: ms since 1970, with its microseconds. */
export function recordTimeMs(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const micros = Number(view.getBigInt64(at, true));
  return (micros + MICROS_1970_TO_2000) / 1000;
}

/** Name of a restore point, whose main data begins at `at`. */
export function restorePointName(bytes: Uint8Array, at: number, to: number): string {
  const from = at + 8;
  const name = Buffer.from(
    bytes.buffer,
    bytes.byteOffset + from,
    Math.min(RESTORE_POINT_NAME_BYTES, to - from),
  );
  const terminator = name.indexOf(0);
  return name.toString('utf8', 0, terminator === -1 ? name.length : terminator);
}
