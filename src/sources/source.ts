/**
 * What a source is: the adapter that captures one kind of store and recovers it. Copy the smallest sibling, fill its
 * files, add one line to `all.ts`, run `conformance.ts` on it.
 */

import type { z } from 'zod';
import type { EntryTable, FileMetadata, Logger, ProgressListener, ReadingCheck } from '#base';
import type { TableParts } from './parts.ts';

/** A store of holdfast.yaml with references resolved: common fields plus the source's own (by its schema). */
export type StoreSettings<Own = Record<string, unknown>> = {
  name: string;
  environment: string;
  stage: string;
  /** Objective, ms; 0 asks for synchronous protection. */
  rpoMs: number;
  protect: { kind: 'continuous' } | { kind: 'every'; everyMs: number };
  own: Own;
};

export type SourceContext = {
  log: Logger;
  progress: ProgressListener;
  /** Aborted when the work must stop; whatever is awaited then rejects with its reason. */
  signal: AbortSignal;
  /** A folder of this store's own on this host, 0700, for state that survives a restart (never for data). */
  stateFolder: string;
};

// ---------------------------------------------------------------- plan

export type InspectionFinding = {
  /** `refuse`: can't be protected so; `warn`: protected, with a limit a person must know; `note`: worth a line. */
  severity: 'refuse' | 'warn' | 'note';
  /** Stable kebab-case code: `slot-unbounded`. */
  code: string;
  what: string;
  /** The exact statement, command or line that mends it. */
  mend?: string;
};

export type Inspection = {
  /** As the plan shows it: `physical stream`, `folder, watched`. */
  method: string;
  reachable: boolean;
  findings: InspectionFinding[];
  /** Bytes of a first capture; undefined where it couldn't be asked. */
  sizeBytes?: number;
  facts: Record<string, unknown>;
};

// ---------------------------------------------------------------- capture

export type EntryContent =
  /** A regular file on this host, to be read by path. */
  | { from: 'path'; absolutePath: Buffer }
  /** Bytes handed over, each piece holding until the next is asked for; to be consumed before the next event is. */
  | { from: 'stream'; bytes: AsyncIterable<Uint8Array>; chunkSizeBytes: number }
  /**
   * A regular file on this host that others write to meanwhile, to be read by its canonical path: as many bytes as its metadata says, zeros
   * where it was cut off since. Nothing is captured where it is gone. Only where the caller takes live files. `ended` is
   * called once, when all of it was read or won't be; until then more events may be asked for.
   */
  | {
      from: 'live';
      absolutePath: Buffer;
      chunkSizeBytes: number;
      check?: ReadingCheck;
      ended: (end: LiveEnd) => void;
    }
  /** Blocks of `chunkSizeBytes` (the last one may be shorter), of which the previous capture holds some. */
  | { from: 'blocks'; blocks: AsyncIterable<ContentBlock>; chunkSizeBytes: number }
  /** No content: everything but regular files. */
  | { from: 'nothing' };

/** `wrong`: offsets of what the check says is wrong, however often it is read. */
export type LiveEnd =
  | { kind: 'read'; wrong: readonly number[] }
  | { kind: 'gone' }
  | { kind: 'failed'; error: unknown };

export type ContentBlock =
  /** As the previous capture holds it: its id there, 32 bytes. */
  | { from: 'before'; id: Uint8Array; sizeBytes: number }
  /** Left alone once it was given. */
  | { from: 'here'; bytes: Buffer };

export type CaptureEvent =
  /** Path relative to the store's root, raw bytes, `/`-separated; the root itself is the empty path. */
  | { kind: 'entry'; path: Buffer; metadata: FileMetadata; content: EntryContent }
  /**
   * Entries of a directory, sorted by the bytes of their names, all of whose files lie on this host: instead of an
   * `entry` for each, and only where the caller takes folders. A large directory comes in several parts, one right after
   * the other, before anything else. `isPlain`: of each directory in this part a `folder` or a `problem` follows, and of
   * whatever isn't in it nothing.
   */
  | { kind: 'folder'; path: Buffer; entries: EntryTable; isPlain: boolean; isLast: boolean }
  /** Everything below this directory was given: it may be sealed now. Optional; due after a `folder`. */
  | { kind: 'leave'; path: Buffer }
  /** Take this directory whole from the previous capture: nothing below it changed. Only where `previous` was given. */
  | { kind: 'reuse'; path: Buffer }
  /** This entry couldn't be captured; the rest goes on, and the capture is `partial`. */
  | { kind: 'problem'; path: Buffer; what: string };

export type JournalPosition = { line: number; offset: bigint };

export type CaptureOutcome = {
  start: JournalPosition;
  end: JournalPosition;
  clock: { offsetMs: number; uncertaintyMs: number };
  /** JSON values that `recover` will need. */
  facts: Record<string, unknown>;
  /** What went wrong with the capture as a whole though its data is good: it counts as `partial`. */
  problems?: string[];
};

export interface Capture {
  readonly kind: 'base' | 'files';
  /** Absolute root as a snapshot's `paths` shows it: the folder, or `/postgres/<store>`. */
  readonly root: string;
  readonly expectedBytes: number | undefined;
  events(): AsyncIterable<CaptureEvent>;
  /**
   * After the events are exhausted and all contents were read: hooks end here. Call it once. Throws where the capture
   * as a whole is not to be trusted.
   */
  outcome(): Promise<CaptureOutcome>;
  /** Frees connections and hooks; may be called at any time, twice too. */
  close(): Promise<void>;
}

export type CaptureOptions = {
  /** Directories changed since the previous capture, where a watcher knows; all others may be reused. */
  changedDirectories?: ReadonlySet<string>;
  /** True where the previous capture is at hand, so that `reuse` may be said. */
  hasPrevious: boolean;
  /** True where events of the kind `folder` are taken: a source may then give them. */
  takesFolders?: boolean;
  /** True where content that is `live` is taken: a source may then give it in the place of streams. */
  takesLiveFiles?: boolean;
};

// ---------------------------------------------------------------- journal

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

// ---------------------------------------------------------------- recover

export type RecoverRequest = {
  /** What `CaptureOutcome` said. */
  capture: CaptureOutcome;
  /** The restored tree. The source may change it as it must. */
  directory: string;
  /**
   * Where that is mounted: the folder whose entries it shows, each with its name, owner and permissions. A look there
   * costs no request to the mount; changes are made in `directory` alone.
   */
  below?: string;
  /** Folder for sockets, logs and journal segments of this copy; exists, 0700. */
  scratch: string;
  journal?: JournalAccess;
  resolved?: ResolvedTarget;
  /** Operating system user that runs and owns it; undefined: the current one (root: the source's default). */
  owner?: string;
  /** Beside production: nothing may reach outside the target. In place: it becomes production again. */
  mode: 'beside' | 'in-place';
  /** Loopback port to listen on, for sources that serve; a free one where it isn't given. */
  port?: number;
  /**
   * The store's own fields where holdfast.yaml is at hand: with whose access (user, password, database) the answered
   * URL is made. Without them it names no password.
   */
  own?: Record<string, unknown>;
};

export type RecoveredStore = {
  /** What services use: a URL for servers, a path for folders. Secret where it holds a password. */
  url: string;
  /** Process of its own, where there is one. */
  pid?: number;
  facts: Record<string, unknown>;
};

export type SampleRequest = {
  /** What `CaptureOutcome` said. */
  capture: CaptureOutcome;
  /** The folder of a copy, which may be running. */
  directory: string;
  /** About so many bytes are read, at random places. */
  maxBytes: number;
  /** Told of every byte that is read. */
  onRead(bytes: Uint8Array): void;
  signal: AbortSignal;
};

export type Sample = {
  /** How much was looked at, in the store's own terms: `1,024 of 81,920 pages`. */
  what: string;
  /** What is damaged, by name. */
  problems: string[];
};

/** What a stopped copy left on this host of a tree that was mounted: whole to whoever asks, without the mount. */
export interface LeftTree {
  /** An ordinary folder with every entry; files may have holes where nothing was read or written. */
  directory: string;
  /**
   * Of a regular file, by its path in the folder. Blocks that aren't here are `before`; what a file lacks within a
   * block is fetched.
   */
  blocks(relative: string, chunkSizeBytes: number): AsyncIterable<ContentBlock>;
}

export type AdvancedBase = {
  /** The next base, once its mount is gone. Its events have `blocks`. */
  capture(store: string, left: LeftTree): Capture;
};

export type StartRequest = {
  directory: string;
  scratch: string;
  /** Loopback port to listen on; undefined: that of before. */
  port: number | undefined;
  /** What it was recovered to is known to have outlived any end of this host since. */
  survived: boolean;
};

export type SettleRequest = {
  directory: string;
  scratch: string;
  /** Where the folder will lie when it is production. */
  home: string;
};

export type WatchNews = {
  /** Where something changed; empty: nowhere. Undefined: anything may have changed. */
  directories: ReadonlySet<string> | undefined;
  /** Every change made before this instant (Holdfast's clock, ms) is in this or an earlier set. */
  throughMs: number;
};

export interface Source<Own = Record<string, unknown>> {
  readonly type: string;
  /** The fields of its own in holdfast.yaml, strict. */
  readonly schema: z.ZodType<Own>;
  inspect(store: StoreSettings<Own>, context: SourceContext): Promise<Inspection>;
  capture(
    store: StoreSettings<Own>,
    options: CaptureOptions,
    context: SourceContext,
  ): Promise<Capture>;
  /** Undefined where this store has no journal. */
  journal?(store: StoreSettings<Own>, context: SourceContext): JournalSource;
  /** Watches for changes where there is no journal. Says every second, at the latest, how far it has looked. */
  watch?(store: StoreSettings<Own>, context: SourceContext): AsyncIterable<WatchNews>;
  /** How often new bases of a store with a journal are made, and of what (see `advance`). By default daily, by `capture`. */
  bases?(store: StoreSettings<Own>): { from: 'production' | 'copy'; everyMs: number };
  /** How the journal is cut into files that people and other tools know; by the newest base, where there is one. */
  journalSegments?(newest: CaptureOutcome | undefined): JournalSegments;
  /**
   * Where the journal stands: what was committed before the call lies before it, what is committed after it does not.
   * Undefined where that isn't known exactly. Gives up when the context's signal is aborted.
   */
  position?(
    store: StoreSettings<Own>,
    context: SourceContext,
  ): Promise<JournalPosition | undefined>;
  /** Paths in a captured tree that are read first, one after another, when it is started: the first pattern before all others. */
  readonly readFirst?: readonly RegExp[];
  /** Turns a target into a position of the journal, beginning at a base. */
  resolve?(
    base: CaptureOutcome,
    journal: JournalAccess,
    target: Target,
    line?: number,
  ): Promise<ResolvedTarget>;
  /** What a copy needs of this host and that it lacks, a sentence each: people see it before anything starts. */
  hostLacks?(capture: CaptureOutcome): Promise<string[]>;
  /** Brings the restored tree to life at the resolved position. Returns when it answers. */
  recover(request: RecoverRequest, context: SourceContext): Promise<RecoveredStore>;
  /**
   * Replays the journal on a restored tree, up to the resolved position, without bringing it to life, and stops: what
   * lies there then is the next base, made without asking production for one. Undefined where that gains nothing yet.
   */
  advance?(request: RecoverRequest, context: SourceContext): Promise<AdvancedBase | undefined>;
  /** Starts a recovered store again, or finds it running. */
  start?(request: StartRequest, context: SourceContext): Promise<RecoveredStore>;
  /** Writes out while it serves what a stop would have to, so that the stop is short. Nothing where it doesn't run. */
  checkpoint?(directory: string, context: SourceContext): Promise<void>;
  /** Stops a recovered store, found by its directory. Idempotent. */
  stop?(directory: string, context: SourceContext): Promise<void>;
  /** Whether a server runs on this folder of this host, which then must not be moved away. */
  inUse?(directory: string): Promise<boolean>;
  /**
   * Looks at a random part of a copy as closely as its format allows. Undefined where its files say nothing of
   * themselves: reading them is all that can be done. Throws only where nothing could be looked at.
   */
  sample?(request: SampleRequest): Promise<Sample>;
  /**
   * Gives a stopped copy back what makes it production (its configuration, its paths), before it takes the place of
   * `home`. Idempotent.
   */
  settle?(request: SettleRequest, context: SourceContext): Promise<void>;
  /** The folder of this host that holds the store in production; undefined where it isn't here. */
  home?(store: StoreSettings<Own>, capture: CaptureOutcome | undefined): string | undefined;
  /** Undefined where a store holds no tables. */
  parts?: TableParts;
}
