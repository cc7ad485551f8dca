/**
 * What is Holdfast's own in a repository, as values: captures (the sidecar of each snapshot), recovery points, marks,
 * gaps, watermarks. All of it is sealed with the repository's key under `holdfast/`; restic leaves those names alone.
 * Everything that recovery needs can be read from here: no catalog is asked.
 */

/**
 * A place in a store's journal. Postgres: timeline and LSN. A store without a journal has positions with line 0 and the
 * nanosecond (since 1970) of its capture as offset.
 */
export type Position = { line: number; offset: bigint };

/** A store's address: one environment's one store. All three are checked names: [a-z0-9-]+. */
export type StoreAddress = { environment: string; stage: string; store: string };

export type CaptureKind = 'base' | 'files' | 'journal-batch' | 'infrastructure' | 'catalog';

/** What a snapshot's tree can't hold: its root's own metadata. Extended attributes in base64. */
export type RootMetadata = {
  permissions: number;
  uid: number;
  gid: number;
  user: string;
  group: string;
  mtimeNs: bigint;
  xattrs: { name: string; value: string }[];
};

export type CaptureRecord = {
  /** Sorts by time; see `timedId`. */
  id: string;
  address: StoreAddress;
  /** Type of the source that made it: `postgres`, `files`. */
  source: string;
  kind: CaptureKind;
  /** Hex id of the restic snapshot. */
  snapshot: string;
  /** Holdfast's clock, ms since 1970: everything in the snapshot was read between these. */
  startedAtMs: number;
  endedAtMs: number;
  /** Base: the journal between these makes it consistent. Journal batch: what it holds. Files: the capture's instants. */
  start: Position;
  end: Position;
  /** The store's clock minus Holdfast's, and how far that may be off. */
  clock: { offsetMs: number; uncertaintyMs: number };
  /** Bytes of a fixed chunk; 0 where cut by content. */
  chunkSizeBytes: number;
  /** Name of the paged block map among the sealed files, where there is one: see `openBlockMap`. */
  blockMap?: string;
  /** Of the captured folder itself, where the source gave it. */
  root?: RootMetadata;
  /** What the source needs to recover it: version, segment size, tablespaces. JSON values alone. */
  facts: Record<string, unknown>;
  statistics: {
    files: number;
    directories: number;
    bytes: number;
    newBytes: number;
    storedBytes: number;
  };
  /** Entries that couldn't be captured (the first 1,000) and how many there were. */
  problems: { path: string; what: string }[];
  problemCount: number;
};

/** An instant to which the whole environment can be brought back, noted when a capture completed or a mark was set. */
export type RecoveryPoint = {
  id: string;
  environment: string;
  stage: string;
  atMs: number;
  /** By store: the capture to begin from. */
  stores: Record<string, { capture: string }>;
  /** Capture id of the infrastructure files and of holdfast.yaml itself. */
  infrastructure?: string;
  services: Record<string, { version?: string }>;
};

export type Mark = {
  id: string;
  environment: string;
  stage: string;
  /** `deploy`, `release`, `restore-point`, anything a person names. */
  kind: string;
  atMs: number;
  sha?: string;
  author?: string;
  note?: string;
  /** Position of each store with a journal at that instant, where the store could be asked. */
  positions: Record<string, Position>;
};

/** How one check of a proof came out. */
export type ProofCheck = {
  /** As declared, or what Holdfast itself looked at: `pages of orders`. */
  name: string;
  verdict: 'pass' | 'fail' | 'unknown';
  /** One line: what was seen. */
  what: string;
  tookMs: number;
};

/** An instant was really brought up and looked at: when, by what, and what was seen. The evidence of it. */
export type Proof = {
  /** By the time it began; see `timedId`. */
  id: string;
  environment: string;
  stage: string;
  instantMs: number;
  /** The recovery point that it is of; absent where it is of another instant of a window. */
  point?: string;
  startedAtMs: number;
  endedAtMs: number;
  /** `unknown`: nobody can tell, for something else than the data kept it from being seen. */
  verdict: 'pass' | 'fail' | 'unknown';
  checks: ProofCheck[];
  phases: { phase: string; tookMs: number }[];
  /** By store: the capture that was begun from, and as of when the copy was (ms). */
  stores: Record<string, { capture: string; atMs: number; position?: Position }>;
  /** Plain bytes of the repository that were fetched for it. */
  readBytes: number;
  /** Processor time of everything that took part; of the process that made it all that it did meanwhile. */
  cpuMs: number;
  /** SHA-256 (hex) over what was brought up (snapshots, positions) and every byte of the samples. */
  digest: string;
  /** SHA-256 (hex) of the declaration (holdfast.yaml with its overlay) whose services and checks it ran. */
  declaration: string;
  by: { version: string; host: string; controlPlane?: string };
};

/** A span of a journal that is lost for good: no instant inside can be recovered to. */
export type JournalGap = {
  id: string;
  address: StoreAddress;
  from: Position;
  /** Where the journal goes on; absent while it doesn't yet. */
  to?: Position;
  fromMs: number;
  toMs?: number;
  because: string;
};

/** A branch of a journal: it left `parent` at `forkOffset`. Postgres: a timeline. `raw` is the history file. */
export type JournalLine = { line: number; parent: number; forkOffset: bigint; raw: string };

/** A file of the repository that was damaged and has been brought back by itself. */
export type Mend = {
  id: string;
  atMs: number;
  /** What came upon it: `check`, `read`, `repair`. */
  by: string;
  /** `data/ab/ab12…`, `index/…`. */
  name: string;
  /** How, for a person. */
  what: string;
};

/** "At this time the journal stood here": makes instants after the last change of an idle store recoverable. */
export type Watermark = { atMs: number; position: Position };
