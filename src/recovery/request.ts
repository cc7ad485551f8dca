/**
 * What recovery is asked for and what it answers, as values. The environment's services and checks come in as plain
 * data, and the runtime that starts services as functions handed in: the data plane knows neither holdfast.yaml nor
 * the catalog.
 */

/** WHEN of the command line, parsed. */
export type When =
  | { kind: 'latest' }
  | { kind: 'time'; atMs: number }
  /** Postgres LSN of the leading (or named) store. */
  | { kind: 'lsn'; lsn: bigint }
  /** `before deploy 4f2c1e`: the last instant before a mark. */
  | { kind: 'before-mark'; markKind: string; name?: string }
  /** A named restore point in the leader's journal. */
  | { kind: 'restore-point'; name: string };

export type RecoveryServices = {
  name: string;
  needs: string[];
  /** Services whose addresses it is given. */
  mentions: string[];
  sideEffects: string[];
}[];

/** How services run and checks are made at the site. */
export interface Runtime {
  /** Starts one service against the recovered stores; resolves when it is healthy. */
  start(service: string, bindings: Bindings): Promise<RunningService>;
  /** Whether it still runs, after a restart of Holdfast too. */
  isRunning(running: RunningService): Promise<boolean>;
  /** Stops it; idempotent; also after a restart of Holdfast, found by what `start` returned. */
  stop(running: RunningService): Promise<void>;
  /** Ends all that was started in that folder (`Bindings.scratch`), also what nobody got to know of; idempotent. */
  stopAll(scratch: string): Promise<void>;
}

/** Addresses of this copy: `${stores.orders.url}`, `${services.api.url}`. */
export type Bindings = {
  /** `atMs`: the instant that this copy of it is of, ms since 1970. */
  stores: Record<string, { url: string; atMs: number }>;
  services: Record<string, { url: string }>;
  /** Folder for logs and pid files of this copy. */
  scratch: string;
  /** Side effects are muted: the service gets HOLDFAST_MUTED with their names. */
  muted: boolean;
};

export type RunningService = {
  name: string;
  pid: number;
  startedAt: string;
  port?: number;
  url: string;
};

export type CheckOutcome = {
  name: string;
  verdict: 'pass' | 'fail' | 'unknown';
  /** One line: what was seen. */
  what: string;
  tookMs: number;
};

export type StoreSelection = {
  store: string;
  /** Where it comes from, for the table: `base of 10:00 + 42m of WAL`. */
  from: string;
  capture: string;
  atMs: number;
  /** This store's instant minus the leader's, and the clocks' uncertainty. */
  skewMs: number;
  uncertaintyMs: number;
  leads: boolean;
  /** `184 commits`, `12 files`; undefined where it can't be counted. */
  leftBehind: string | undefined;
  /** Journal position it goes up to: line and decimal offset (Postgres: timeline and LSN). */
  position?: { line: number; offset: string };
  /** True where |skew| is beyond the limit: must be accepted by name. */
  overLimit: boolean;
  bytes: number;
  /** What a person should know before it starts, a sentence each: another timeline holds that instant too. */
  notes?: string[];
};

export type RecoveryPhase = {
  phase: 'data' | 'journal' | 'services' | 'checks' | 'switch';
  tookMs: number;
};

export type MountedStore = {
  /** The files on disk, sparse until all of it was brought here. */
  files: string;
  /** Which of their pages are here. */
  pages: string;
  /** Folder of the service that mounted it. */
  service: string;
  /** What is mounted: enough to mount it again. Absent in those of earlier versions. */
  snapshot?: string;
  tree?: string;
  hasXattrs?: boolean;
  /** All of it was brought here, durably. */
  isWhole?: boolean;
};

/** State of one recovery on this host, kept in `recovery.json` in its folder: the truth of it. */
export type RecoveryState = {
  id: string;
  environment: string;
  stage: string;
  status:
    | 'recovering'
    | 'ready'
    | 'checks-failed'
    | 'failed'
    | 'promoting'
    | 'promoted'
    | 'undoing'
    | 'undone'
    | 'removing';
  inPlace: boolean;
  createdAtMs: number;
  instantMs: number;
  /** The instant as a person named it: `last commit before deploy 4f2c1e (kim)`. */
  title: string;
  folder: string;
  stores: Record<
    string,
    {
      selection: StoreSelection;
      directory: string;
      /** Where its content still lies in the repository in part: `directory` is mounted. */
      mounted?: MountedStore;
      /** May hold a password. */
      url: string;
      /** A file (0600) with the URL and nothing else, for those who show no password. */
      urlFile?: string;
      port?: number;
      /** Where production's data lies on this host, and where what was there is kept. */
      home?: string;
      replaced?: string;
    }
  >;
  services: RunningService[];
  checks: CheckOutcome[];
  phases: RecoveryPhase[];
  bytesRead: number;
  /** Why all data was written out before anything started, though it was to be mounted. */
  notMounted?: string;
  /** What was asked of bringing the rest here in the background; absent: nothing yet, or it is done. */
  hydration?: {
    state: 'running' | 'paused' | 'leaving';
    bytesPerSecond?: number;
    /** Announced: when its databases are restarted once, ms since 1970. */
    leaveAtMs?: number;
  };
  /** What lies here in plain folders survives an end of this host as ordinary data does. */
  isDurable?: boolean;
  /** Mounted, it answers, and isn't written out yet (`settleRecovery`): it doesn't survive an end of this host. */
  isUnsettled?: true;
  error?: string;
};
