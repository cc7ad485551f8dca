/**
 * What a source is: the adapter that captures one kind of store and recovers it. Copy the smallest sibling, fill its
 * files, add one line to `all.ts`, run `conformance.ts` on it.
 */

import type { z } from 'zod';
import type { Logger, ProgressListener } from '#base';
import type { Capture, CaptureOptions, CaptureOutcome, ContentBlock } from './capture.ts';
import type {
  JournalAccess,
  JournalPosition,
  JournalSegments,
  JournalSource,
  ResolvedTarget,
  Target,
} from './journal.ts';
import type { TableParts } from './parts.ts';

export type * from './capture.ts';
export type * from './journal.ts';

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
