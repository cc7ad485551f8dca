/**
 * The journal of one store: pieces under `holdfast/journal/…` (shipped within a second), batches of whole segments in
 * snapshots, and the local spool where bytes lie until they are shipped. One reader over all three.
 */
import type {
  JournalGap,
  JournalLine,
  Position,
  StoreAddress,
  Watermark,
} from '../records/records.ts';

/** A stretch of one line, contiguous. */
export type JournalSpan = {
  line: number;
  from: bigint;
  to: bigint;
  /** Latest instant (store's clock, ms) known to lie within the span: a commit, or the sender's clock. */
  latestMs: number;
  where: 'piece' | 'batch' | 'spool';
};

/** Read access to a store's journal, wherever the bytes lie. */
export interface JournalReader {
  readonly address: StoreAddress;
  /** Spans merged and sorted by line and offset; overlapping ones are joined. */
  spans(): Promise<JournalSpan[]>;
  lines(): Promise<JournalLine[]>;
  gaps(): Promise<JournalGap[]>;
  watermarks(): Promise<Watermark[]>;
  /**
   * By each of these instants (the store's clock, ms) the journal stood no further than the place: finer than `spans`,
   * as fine as the bytes are held; around these places also as fine as they were held before they entered a batch (its
   * record is read). In no order.
   */
  standings(around?: readonly Position[]): Promise<Watermark[]>;
  /**
   * Up to where, at most `to`, all of one line from `from` on is known to have left the store by this instant (the
   * store's clock, ms): by the names of what holds it, and within one batch by its record. `from` where nothing is known.
   */
  sentBy(line: number, from: bigint, to: bigint, atMs: number): Promise<bigint>;
  /** How far the journal is unbroken from this position on its own line (not over a fork). */
  contiguousEnd(from: Position): Promise<bigint>;
  /**
   * The bytes from `from` up to `to` (exclusive) of one line, in order, in buffers of any size, each holding until the
   * next is asked for.
   * Throws `repository/journal-gap` at the first missing byte, naming it.
   */
  read(line: number, from: bigint, to: bigint): AsyncIterable<Buffer>;
}

/** The local, fsynced part. One writer per store at a time. */
export interface JournalSpool {
  /**
   * Takes bytes that follow what is there (or begin a new run anywhere). Buffered until `sync`.
   * Overlap with what is already there is ignored when equal in position.
   */
  append(line: number, offset: bigint, bytes: Uint8Array, sentAtMs: number): void;
  /** Resolves when everything appended so far is fsynced; resolves to that position. */
  sync(): Promise<Position | undefined>;
  /** End of what is fsynced, of what is in the repository, per the newest line. */
  readonly synced: Position | undefined;
  readonly shipped: Position | undefined;
  readonly sizeBytes: number;
}
