/**
 * Reads WAL as it comes, in buffers of any size, and tells the commits and restore points in it and where it truly ends.
 * Records are skipped by their length and not copied; each is checked by its back link and its CRC-32C, as Postgres
 * itself does on recovery. Memory is constant whatever the bytes say.
 */
import { CRC32C_START, crc32cEnd, crc32cUpdate } from './crc32c.ts';
import {
  LONG_HEADER_BYTES,
  pageHeaderSize,
  parsePageHeader,
  SHORT_HEADER_BYTES,
  WAL_PAGE_SIZE_BYTES,
  type WalPageHeader,
} from './page.ts';
import {
  BODY_PREFIX_BYTES,
  CHECKED_HEADER_BYTES,
  mainDataStart,
  RECORD_HEADER_BYTES,
  type RecordSort,
  recordTimeMs,
  restorePointName,
  sortOfRecord,
} from './record.ts';

const DEFAULT_SEGMENT_SIZE_BYTES = 16 * 2 ** 20;
const HIGH = 2 ** 32;

/** `start` is where the record begins, `end` where the next may begin (both as Postgres shows LSNs). */
export type WalEvent =
  /** `atMs`: the committing server's clock, ms since 1970 with microseconds as the fraction. */
  | { kind: 'commit'; start: bigint; end: bigint; atMs: number; prepared: boolean }
  | { kind: 'restore-point'; start: bigint; end: bigint; atMs: number; name: string };

export type WalEnd = {
  /** What stands where the next page or record should be. */
  because:
    | 'no-page'
    | 'other-page'
    | 'broken-record'
    | 'no-record'
    | 'wrong-link'
    | 'wrong-checksum';
  /** The page or record that isn't one. */
  at: bigint;
};

export type WalDecoderOptions = {
  /** Called within `push`, in order. */
  onEvent: (event: WalEvent) => void;
  /** Needed where decoding begins within a segment that isn't of 16 MiB. */
  segmentSizeBytes?: number;
};

export class WalDecoder {
  readonly #onEvent: (event: WalEvent) => void;
  /** Addresses are kept relative to the start: sums of small numbers, not of bigints, for each record. */
  readonly #origin: bigint;
  readonly #originHigh: number;
  readonly #originLow: number;
  #segmentSizeBytes: number;
  /** Next byte wanted, relative; and within its page. */
  #at = 0;
  #pageAt: number;
  #isFirstPage = true;
  #line: number | undefined;
  readonly #pageHeader = new Uint8Array(LONG_HEADER_BYTES);
  #pageHeaderFill = 0;
  /** Raw bytes to pass over: what follows a switch record in its segment. */
  #toSegmentEnd = 0;
  /** Alignment after a record. */
  #padding = 0;

  // The record that is begun but not complete.
  readonly #header = new Uint8Array(RECORD_HEADER_BYTES);
  #headerFill = 0;
  #recordAt = 0;
  #remaining = 0;
  /** Its beginning lies before the start of decoding: it is passed over. */
  #isBlind = false;
  #sort: RecordSort = 'other';
  #crc = CRC32C_START;
  readonly #prefix = new Uint8Array(BODY_PREFIX_BYTES);
  #prefixFill = 0;

  #lastRecordAt: number | undefined;
  #recordEnd: number | undefined;
  #end: WalEnd | undefined;

  /** `start`: the beginning of a segment or page, or of a record (an LSN at which one begins). */
  constructor(start: bigint, options: WalDecoderOptions) {
    this.#origin = start;
    this.#originHigh = Number(start >> 32n);
    this.#originLow = Number(start & 0xffffffffn);
    this.#pageAt = this.#originLow % WAL_PAGE_SIZE_BYTES;
    this.#isFirstPage = this.#pageAt === 0;
    this.#segmentSizeBytes = options.segmentSizeBytes ?? DEFAULT_SEGMENT_SIZE_BYTES;
    this.#onEvent = options.onEvent;
  }

  /** End of the last whole and valid record, where the next one may begin; undefined before the first. */
  get recordEnd(): bigint | undefined {
    return this.#recordEnd === undefined ? undefined : this.#absolute(this.#recordEnd);
  }

  /** Start of the last whole and valid record. */
  get lastRecord(): bigint | undefined {
    return this.#lastRecordAt === undefined ? undefined : this.#absolute(this.#lastRecordAt);
  }

  /** Timeline that wrote the newest page; undefined before the first page header. */
  get line(): number | undefined {
    return this.#line;
  }

  /** Set where the WAL has ended: what follows isn't WAL of this stream, and is ignored. */
  get end(): WalEnd | undefined {
    return this.#end;
  }

  /** Takes the bytes that follow those pushed before. They may be reused after it returns. */
  push(bytes: Uint8Array): void {
    let from = 0;
    while (from < bytes.length && this.#end === undefined) {
      if (this.#toSegmentEnd > 0) {
        const passed = Math.min(this.#toSegmentEnd, bytes.length - from);
        this.#toSegmentEnd -= passed;
        this.#advance(passed);
        from += passed;
      } else if (this.#pageAt === 0 || this.#pageHeaderFill > 0) {
        from = this.#takePageHeader(bytes, from);
      } else {
        const to = Math.min(bytes.length, from + WAL_PAGE_SIZE_BYTES - this.#pageAt);
        from = this.#takeRecords(bytes, from, to);
      }
    }
  }

  #absolute(relative: number): bigint {
    return this.#origin + BigInt(relative);
  }

  #advance(bytes: number): void {
    this.#at += bytes;
    this.#pageAt = (this.#pageAt + bytes) % WAL_PAGE_SIZE_BYTES;
  }

  #stop(because: WalEnd['because'], at: number): void {
    this.#end = { because, at: this.#absolute(at) };
  }

  #takePageHeader(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length) {
      this.#pageHeader[this.#pageHeaderFill] = bytes[at] as number;
      this.#pageHeaderFill += 1;
      at += 1;
      const fill = this.#pageHeaderFill;
      if (fill < SHORT_HEADER_BYTES || fill < pageHeaderSize(this.#pageHeader, 0)) continue;
      const pageStart = this.#at + (at - from) - fill;
      this.#pageHeaderFill = 0;
      const header = parsePageHeader(this.#pageHeader, 0);
      if (header === undefined) this.#stop('no-page', pageStart);
      else this.#enterPage(header, pageStart);
      break;
    }
    this.#advance(at - from);
    return at;
  }

  #enterPage(header: WalPageHeader, pageStart: number): void {
    if (this.#relative(header.addressHigh, header.addressLow) !== pageStart) {
      this.#stop('other-page', pageStart);
      return;
    }
    this.#line = header.line;
    this.#segmentSizeBytes = header.segmentSizeBytes ?? this.#segmentSizeBytes;
    const isFirst = this.#isFirstPage;
    this.#isFirstPage = false;
    if (header.overwrites) {
      this.#forgetPartial();
    } else if (isFirst) {
      this.#isBlind = header.continuationBytes > 0;
      this.#remaining = header.continuationBytes;
    } else if (header.continuationBytes !== this.#owed()) {
      this.#stop('broken-record', this.#hasPartial() ? this.#recordAt : pageStart);
    }
  }

  /** Bytes of the begun record that are still to come, its header's too. */
  #owed(): number {
    if (this.#headerFill === 0 || this.#headerFill === RECORD_HEADER_BYTES) return this.#remaining;
    return readU32(this.#header, 0) - this.#headerFill;
  }

  #hasPartial(): boolean {
    return this.#headerFill > 0 || this.#remaining > 0;
  }

  #forgetPartial(): void {
    this.#headerFill = 0;
    this.#remaining = 0;
    this.#isBlind = false;
  }

  /** Takes record bytes of one page. */
  #takeRecords(bytes: Uint8Array, start: number, to: number): number {
    let from = start;
    while (from < to && this.#end === undefined && this.#toSegmentEnd === 0) {
      const before = from;
      if (this.#padding > 0) {
        from += Math.min(this.#padding, to - from);
        this.#padding -= from - before;
      } else if (this.#remaining > 0) {
        from = this.#takeBody(bytes, from, to);
      } else if (this.#headerFill === 0 && to - from >= RECORD_HEADER_BYTES) {
        from = this.#takeWhole(bytes, from, to);
      } else {
        from = this.#takeHeader(bytes, from, to);
      }
      this.#advance(from - before);
      if (this.#remaining === 0 && this.#headerFill === RECORD_HEADER_BYTES) this.#finishPartial();
    }
    return from;
  }

  /** The common case: a record that lies whole in this page and buffer. Otherwise begins a partial one. */
  #takeWhole(bytes: Uint8Array, from: number, to: number): number {
    const total = readU32(bytes, from);
    if (!this.#isHeaderValid(bytes, from, this.#at)) return from;
    if (from + total > to) return this.#takeHeader(bytes, from, to);
    const bodyAt = from + RECORD_HEADER_BYTES;
    const crc = crc32cUpdate(CRC32C_START, bytes, bodyAt, from + total);
    if (!isChecksum(crc, bytes, from)) {
      this.#stop('wrong-checksum', this.#at);
      return from;
    }
    const sort = sortOfRecord(bytes[from + 16] as number, bytes[from + 17] as number);
    this.#complete(this.#at, this.#at + total, sort, bytes, bodyAt, from + total);
    return from + total;
  }

  #takeHeader(bytes: Uint8Array, start: number, to: number): number {
    if (this.#headerFill === 0) this.#recordAt = this.#at;
    const taken = Math.min(RECORD_HEADER_BYTES - this.#headerFill, to - start);
    this.#header.set(bytes.subarray(start, start + taken), this.#headerFill);
    this.#headerFill += taken;
    if (this.#headerFill < 4) return start + taken;
    if (readU32(this.#header, 0) < RECORD_HEADER_BYTES) {
      this.#stop('no-record', this.#recordAt);
    } else if (
      this.#headerFill === RECORD_HEADER_BYTES &&
      this.#isHeaderValid(this.#header, 0, this.#recordAt)
    ) {
      this.#remaining = readU32(this.#header, 0) - RECORD_HEADER_BYTES;
      this.#sort = sortOfRecord(this.#header[16] as number, this.#header[17] as number);
      this.#crc = CRC32C_START;
      this.#prefixFill = 0;
    }
    return start + taken;
  }

  #takeBody(bytes: Uint8Array, from: number, to: number): number {
    const taken = Math.min(this.#remaining, to - from);
    this.#remaining -= taken;
    if (this.#isBlind) {
      if (this.#remaining === 0) {
        this.#isBlind = false;
        this.#padding = paddingAfter(this.#originLow + this.#at + taken);
      }
      return from + taken;
    }
    this.#crc = crc32cUpdate(this.#crc, bytes, from, from + taken);
    const wanted = Math.min(BODY_PREFIX_BYTES - this.#prefixFill, taken);
    if (this.#sort !== 'other' && wanted > 0) {
      this.#prefix.set(bytes.subarray(from, from + wanted), this.#prefixFill);
      this.#prefixFill += wanted;
    }
    return from + taken;
  }

  #finishPartial(): void {
    this.#headerFill = 0;
    if (!isChecksum(this.#crc, this.#header, 0)) this.#stop('wrong-checksum', this.#recordAt);
    if (this.#end !== undefined) return;
    this.#complete(this.#recordAt, this.#at, this.#sort, this.#prefix, 0, this.#prefixFill);
  }

  /** A record [start, end) is whole and valid; its body, or the beginning of it, is at [bodyFrom, bodyTo). */
  #complete(
    start: number,
    end: number,
    sort: RecordSort,
    bytes: Uint8Array,
    bodyFrom: number,
    bodyTo: number,
  ): void {
    this.#lastRecordAt = start;
    this.#padding = paddingAfter(this.#originLow + end);
    this.#recordEnd = end + this.#padding;
    if (sort === 'other') return;
    if (sort === 'switch') this.#skipSegment(end);
    else this.#tell(start, sort, bytes, bodyFrom, bodyTo);
  }

  #skipSegment(end: number): void {
    const within = (this.#originLow + end) % this.#segmentSizeBytes;
    const rest = within === 0 ? 0 : this.#segmentSizeBytes - within;
    this.#padding = 0;
    this.#toSegmentEnd = rest;
    this.#recordEnd = end + rest;
  }

  #tell(
    start: number,
    sort: 'commit' | 'commit-prepared' | 'restore-point',
    bytes: Uint8Array,
    bodyFrom: number,
    bodyTo: number,
  ): void {
    const at = mainDataStart(bytes, bodyFrom, bodyTo);
    if (at === undefined || at + 8 > bodyTo) return;
    const atMs = recordTimeMs(bytes, at);
    const span = { start: this.#absolute(start), end: this.#absolute(this.#recordEnd as number) };
    if (sort === 'restore-point') {
      const name = restorePointName(bytes, at, bodyTo);
      this.#onEvent({ kind: 'restore-point', ...span, atMs, name });
    } else {
      this.#onEvent({ kind: 'commit', ...span, atMs, prepared: sort === 'commit-prepared' });
    }
  }

  /** Length and back link of a record that begins at `at` (relative). Stops where they are wrong. */
  #isHeaderValid(bytes: Uint8Array, from: number, at: number): boolean {
    if (readU32(bytes, from) < RECORD_HEADER_BYTES) {
      this.#stop('no-record', at);
      return false;
    }
    const previous = this.#relative(readU32(bytes, from + 12), readU32(bytes, from + 8));
    const isLinked =
      this.#lastRecordAt === undefined ? previous < at : previous === this.#lastRecordAt;
    if (!isLinked) this.#stop('wrong-link', at);
    return isLinked;
  }

  #relative(high: number, low: number): number {
    return (high - this.#originHigh) * HIGH + (low - this.#originLow);
  }
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

/** Records begin at multiples of 8. */
function paddingAfter(end: number): number {
  return (8 - (end % 8)) % 8;
}

/** `crc`: state over the record's body; the header follows it. */
function isChecksum(crc: number, header: Uint8Array, at: number): boolean {
  const state = crc32cUpdate(crc, header, at, at + CHECKED_HEADER_BYTES);
  return crc32cEnd(state) === readU32(header, at + CHECKED_HEADER_BYTES);
}
