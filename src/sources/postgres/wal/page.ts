/**
 * The header of a WAL page (Postgres: `XLogPageHeaderData`, `XLogLongPageHeaderData` of access/xlog_internal.h).
 * Little-endian, as every platform that Postgres 13 to 18 commonly runs on.
 */

export const WAL_PAGE_SIZE_BYTES = 8192;
export const SHORT_HEADER_BYTES = 24;
export const LONG_HEADER_BYTES = 40;

/**
 * A server whose last record ends with its page tells the place behind the next page's header, where another record
 * would begin; what has been written ends before that header. The same place to a recovery.
 */
export function beforePageHeader(offset: bigint, segmentSizeBytes: number): bigint {
  const page = offset - (offset % BigInt(WAL_PAGE_SIZE_BYTES));
  const opensSegment = page % BigInt(segmentSizeBytes) === 0n;
  const header = BigInt(opensSegment ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES);
  return offset === page + header ? page : offset;
}

/** First two bytes of each page, by major version. */
const VERSION_BY_MAGIC: ReadonlyMap<number, number> = new Map([
  [0xd106, 13],
  [0xd10d, 14],
  [0xd110, 15],
  [0xd113, 16],
  [0xd116, 17],
  [0xd118, 18],
]);

const FIRST_IS_CONTINUATION = 1;
const LONG_HEADER = 2;
const FIRST_IS_OVERWRITE = 8;

export type WalPageHeader = {
  majorVersion: number;
  line: number;
  /** Address of the page, in the halves that the header holds. */
  addressHigh: number;
  addressLow: number;
  headerSizeBytes: number;
  /** Bytes of a record begun on an earlier page that are still to come; 0 where the page begins with a record. */
  continuationBytes: number;
  /** The record begun on an earlier page was given up in a crash: this page begins with another one. */
  overwrites: boolean;
  /** Of the long header, which opens each segment. */
  segmentSizeBytes: number | undefined;
};

/** How long the header is, by its first 4 bytes. */
export function pageHeaderSize(bytes: Uint8Array, at: number): number {
  return (bytes[at + 2] as number) & LONG_HEADER ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES;
}

/** Undefined where this can't be a page of WAL. `bytes` holds the whole header from `at`. */
export function parsePageHeader(bytes: Uint8Array, at: number): WalPageHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  const majorVersion = VERSION_BY_MAGIC.get(view.getUint16(0, true));
  if (majorVersion === undefined) return undefined;
  const info = view.getUint16(2, true);
  const isLong = (info & LONG_HEADER) !== 0;
  const segmentSizeBytes = isLong ? view.getUint32(32, true) : undefined;
  if (isLong && !(isSegmentSize(segmentSizeBytes) && isOurPageSize(view))) return undefined;
  return {
    majorVersion,
    line: view.getUint32(4, true),
    addressLow: view.getUint32(8, true),
    addressHigh: view.getUint32(12, true),
    headerSizeBytes: isLong ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES,
    continuationBytes: info & FIRST_IS_CONTINUATION ? view.getUint32(16, true) : 0,
    overwrites: (info & FIRST_IS_OVERWRITE) !== 0,
    segmentSizeBytes,
  };
}

/** A power of two between 1 MiB and 1 GiB. */
export function isSegmentSize(sizeBytes: number | undefined): sizeBytes is number {
  return (
    sizeBytes !== undefined &&
    sizeBytes >= 2 ** 20 &&
    sizeBytes <= 2 ** 30 &&
    (sizeBytes & (sizeBytes - 1)) === 0
  );
}

function isOurPageSize(view: DataView): boolean {
  return view.getUint32(36, true) === WAL_PAGE_SIZE_BYTES;
}
