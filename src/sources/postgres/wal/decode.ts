/**
 * Reads WAL as it comes, in buffers of any size, and tells the commits and restore points in it and where it truly ends.
 * Records are skipped by their length and not copied; each is checked by its back link and its CRC-32C, as Postgres
 * itself does on recovery. Memory is constant whatever the bytes say.
 */
import { DEFAULT_SEGMENT_SIZE_BYTES } from '../lsn.ts';
import { CRC32C_START, crc32cUpdate } from './crc32c.ts';
import type { WalEnd, WalEvent } from './event.ts';
import {
  LONG_HEADER_BYTES,
  pageHeaderSize,
  parsePageHeader,
  SHORT_HEADER_BYTES,
  WAL_PAGE_SIZE_BYTES,
  type WalPageHeader,
} from './page.ts';
import { PartialRecord } from './partial.ts';
import {
  isChecksum,
  mainDataStart,
  paddingAfter,
  previousHigh,
  previousLow,
  RECORD_HEADER_BYTES,
  type RecordSort,
  recordLength,
  recordTimeMs,
  restorePointName,
  sortOfRecord,
} from './record.ts';

const HIGH = 2 ** 32;

export type WalDecoderOptions = {
  /** Called within `push`, in order. */
  onEvent: (event: WalEvent) => void;
  /** A tablespace was made: its record names a folder outside the data directory. Called as `onEvent`. */
  onTablespace?: (start: bigint) => void;
  /** False leaves the checksums of bodies to Postgres, which checks them as it replays: half of what decoding costs. */
  checksums?: boolean;
  /** Needed where decoding begins within a segment that isn't of 16 MiB. */
  segmentSizeBytes?: number;
};

export class WalDecoder {
  readonly #onEvent: (event: WalEvent) => void;
  readonly #onTablespace: (start: bigint) => void;
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

  readonly #checksums: boolean;
  readonly #partial: PartialRecord;
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
    this.#checksums = options.checksums ?? true;
    this.#partial = new PartialRecord(this.#checksums);
    this.#onEvent = options.onEvent;
    this.#onTablespace = options.onTablespace ?? (() => {});
  }

  /** End of the last whole and valid record, where the next one may begin; undefined before the first. */
  get recordEnd(): bigint | undefined {
    return this.#recordEnd === undefined ? undefined : this.#absolute(this.#recordEnd);
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
      this.#partial.forget();
    } else if (isFirst) {
      this.#partial.passOver(header.continuationBytes);
    } else if (header.continuationBytes !== this.#partial.owed) {
      this.#stop('broken-record', this.#partial.isEmpty ? pageStart : this.#partial.start);
    }
  }

  /** Takes record bytes of one page. */
  #takeRecords(bytes: Uint8Array, start: number, to: number): number {
    let from = start;
    while (from < to && this.#end === undefined && this.#toSegmentEnd === 0) {
      const taken = this.#takeSome(bytes, from, to);
      from += taken;
      this.#advance(taken);
      if (this.#partial.isWhole) this.#finishPartial();
    }
    return from;
  }

  /** Takes what comes next: padding, the rest of a record, a whole one or a beginning. Returns how many bytes. */
  #takeSome(bytes: Uint8Array, from: number, to: number): number {
    if (this.#padding > 0) {
      const passed = Math.min(this.#padding, to - from);
      this.#padding -= passed;
      return passed;
    }
    if (!this.#partial.isEmpty) {
      return this.#partial.hasHeader
        ? this.#partial.takeBody(bytes, from, to)
        : this.#takeHeader(bytes, from, to);
    }
    // The length lies in one page, but buffers may end within it.
    if (to - from >= RECORD_HEADER_BYTES) {
      if (!this.#isHeaderValid(bytes, from, this.#at)) return 0;
      const end = from + recordLength(bytes, from);
      if (end <= to) return this.#takeWhole(bytes, from, end);
    }
    this.#partial.start = this.#at;
    return this.#takeHeader(bytes, from, to);
  }

  /** The common case: a record that lies whole in this page and buffer, and whose header is valid. */
  #takeWhole(bytes: Uint8Array, from: number, end: number): number {
    const bodyAt = from + RECORD_HEADER_BYTES;
    const isValid =
      !this.#checksums || isChecksum(crc32cUpdate(CRC32C_START, bytes, bodyAt, end), bytes, from);
    if (!isValid) {
      this.#stop('wrong-checksum', this.#at);
      return 0;
    }
    const sort = sortOfRecord(bytes, from);
    this.#complete(this.#at, this.#at + (end - from), sort, bytes, bodyAt, end);
    return end - from;
  }

  #takeHeader(bytes: Uint8Array, from: number, to: number): number {
    const taken = this.#partial.takeHeader(bytes, from, to);
    if (this.#partial.hasHeader) this.#isHeaderValid(this.#partial.header, 0, this.#partial.start);
    return taken;
  }

  #finishPartial(): void {
    const { start, sort, prefix, prefixFill, isBlind, isValid } = this.#partial;
    this.#partial.forget();
    if (this.#end !== undefined) return;
    if (isBlind) this.#padding = paddingAfter(this.#originLow + this.#at);
    else if (isValid) this.#complete(start, this.#at, sort, prefix, 0, prefixFill);
    else this.#stop('wrong-checksum', start);
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
    else if (sort === 'create-tablespace') this.#onTablespace(this.#absolute(start));
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
    if (recordLength(bytes, from) < RECORD_HEADER_BYTES) {
      this.#stop('no-record', at);
      return false;
    }
    const previous = this.#relative(previousHigh(bytes, from), previousLow(bytes, from));
    const last = this.#lastRecordAt;
    const isLinked = last === undefined ? previous < at : previous === last;
    if (!isLinked) this.#stop('wrong-link', at);
    return isLinked;
  }

  #relative(high: number, low: number): number {
    return (high - this.#originHigh) * HIGH + (low - this.#originLow);
  }
}
