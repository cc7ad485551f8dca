/** The change stream of a store: how a source writes it, and how recovery reads it. */

export type JournalPosition = { line: number; offset: bigint };

export interface JournalSink {
  /**
   * Bytes of the journal in order. May be called many times before the next await; memory is bounded by `ready`.
   * `completeThroughMs`: everything that the sender had by then (its clock) is in these bytes or before them; 0 where
   * that isn't known, because a backlog is being sent.
   */
  append(line: number, offset: bigint, bytes: Uint8Array, completeThroughMs: number): void;
  /** Resolves when more may be appended (the spool keeps up). */
  ready(): Promise<void>;
  /** A new line (timeline) begins, with its history. Resolves when durable. May be told again after a restart. */
  lineStarted(line: {
    line: number;
    parent: number;
    forkOffset: bigint;
    raw: string;
  }): Promise<void>;
  /**
   * A span is lost for good. Without `to` it ends where the next `append` begins. Resolves when durable; the caller
   * takes a new base.
   */
  gap(gap: { from: JournalPosition; to?: JournalPosition; because: string }): Promise<void>;
  /**
   * The sender's clock and end of journal, at each message: feeds lag and watermarks. `relayed` where the sender only
   * passes on what another one writes: the end is that one's, as it was `ageMs` ago, and `behindMs` is how long not all
   * of it has been known to be here (0: it is).
   */
  heard(at: {
    sentAtMs: number;
    senderEnd: JournalPosition;
    relayed?: { ageMs: number; behindMs: number };
  }): void;
  /** Where to go on from: end of what is fsynced in the spool or in the repository. */
  resumeFrom(): JournalPosition | undefined;
  /** What may be reported to the sender as flushed, as the design's flush rule says. */
  flushable(): JournalPosition | undefined;
  /** Tells when `flushable` moved on. */
  onFlushable(listener: () => void): () => void;
}

export interface JournalSource {
  /**
   * Streams until aborted. Reconnects by itself with backoff after a cut or restart (reported by `log` and `onState`);
   * returns only when aborted or throws what a person must mend.
   */
  stream(sink: JournalSink, onState: (state: JournalState) => void): Promise<void>;
  /** The store lies on this machine: what is only spooled here would be lost together with it. */
  sharesMachine?: boolean;
  /** Removes what was put into the server for Holdfast (its slot). Safe to call twice. */
  dispose(): Promise<void>;
}

export type JournalState =
  | { state: 'connecting' }
  | { state: 'streaming'; since: number }
  | { state: 'waiting'; because: string; nextTryMs: number }
  | { state: 'needs-base'; because: string };

export type JournalSegments = {
  sizeBytes: number;
  /** `from` is a multiple of the size; names sort as positions do. */
  name(line: number, from: bigint): string;
};

/** Read access to recorded journal; `#repository`'s JournalReader fits it. */
export interface JournalAccess {
  contiguousEnd(from: JournalPosition): Promise<bigint>;
  /** In order, in buffers of any size, each holding until the next is asked for. */
  read(line: number, from: bigint, to: bigint): AsyncIterable<Buffer>;
  lines(): Promise<{ line: number; parent: number; forkOffset: bigint; raw: string }[]>;
  /**
   * Up to where, at most `to`, all of one line from `from` on is known to have left the store by this instant (the
   * store's clock, ms). `from` where nothing is known.
   */
  sentBy?(line: number, from: bigint, to: bigint, atMs: number): Promise<bigint>;
  /** Spans known to be lost, where they are recorded. Times are of Holdfast's clock. */
  gaps?(): Promise<
    { from: JournalPosition; to?: JournalPosition; fromMs: number; because: string }[]
  >;
}

/** What a store is brought to. */
export type Target =
  | { kind: 'time'; atMs: number }
  | { kind: 'position'; position: JournalPosition }
  | { kind: 'name'; name: string }
  | { kind: 'end' };

export type ResolvedTarget = {
  /** Recovery goes up to here and not to the record that begins here. */
  position: JournalPosition;
  /** True where the journal ends before the target's time: everything there is, is taken. No record follows then. */
  isEnd: boolean;
  /** Time (store's clock) of the last commit that is in, and of the first that is left behind. */
  lastCommitMs?: number;
  firstLeftBehindMs?: number;
  /** Commits recorded after the position, and whether counting stopped at its bound. */
  leftBehindCommits: number;
  leftBehindIsMore: boolean;
};
