/**
 * The environment as holdfast.yaml declares it, after overlay, references and secrets. Values alone: reading the file
 * is `load.ts`, judging it is `plan.ts`.
 */
import type { Secret } from '#base';

export type Environment = {
  /** Absolute path of the file it was read from, and of the overlay where one was merged. */
  file: string;
  overlay?: string;
  /** Absolute: relative paths of the file begin here, and its command lines run here. */
  folder: string;
  /** The text as written, without secrets: it is captured with every recovery point. */
  texts: { path: string; text: string }[];
  name: string;
  stage: string;
  owners: { team?: string; recovery?: string; data?: string };
  /** Absolute paths of infrastructure files and folders. */
  imports: string[];
  repository: RepositorySettings;
  objectives: { rpoMs: number; rtoMs: number; proofMs: number };
  consistency: { leader?: string; skewMs: number };
  recovery: {
    hydrate: 'automatic' | 'asked';
    hydrationBytesPerSecond: number;
    mounting: 'ready' | 'asked';
  };
  stores: Store[];
  /** In the order in which they start: each after what it needs. */
  services: Service[];
  checks: Check[];
  /** What proofs may cost; undefined where none are to be made by themselves. */
  proofs?: ProofSettings;
};

export type ProofSettings = {
  /** Of one processor core, over time. */
  cpuShare: number;
  /** Of the bytes of all stores, read within a day. */
  readShare: number;
  /** How long nothing else must have gone on before one begins. 0: it waits for nothing, whatever the load. */
  quietMs: number;
};

export type RepositorySettings = {
  /** A folder, absolute, or `s3:https://host/bucket/folder`. */
  url: string;
  password: Secret;
  /** What an address of a bucket can't say. */
  s3?: {
    region?: string;
    addressing?: 'path' | 'virtual';
    /** Absolute. */
    caFile?: string;
    credentials?: { accessKeyId: string; secretAccessKey: Secret; sessionToken?: Secret };
    storageClass?: string;
    connections?: number;
    /** What is written can't be removed for so long. */
    lock?: { mode: 'governance' | 'compliance'; days: number };
  };
  /** As a fraction of each pack; 0 for none. Undefined: what the repository is set to stays. */
  parity?: number;
  check: { everyMs: number; periodMs: number };
  prune: { everyMs: number };
};

export type Store =
  | {
      name: string;
      type: string;
      /** Empty where no reason is given: the gate then fails. */
      protect: { kind: 'none'; because: string };
      /** Where it lies, where that is told: no copy may point there. */
      address?: Secret;
    }
  | {
      name: string;
      type: string;
      protect: { kind: 'continuous' } | { kind: 'every'; everyMs: number };
      rpoMs: number;
      /** How long recovery points are kept, ms. */
      keepMs: number;
      /** The source's own fields, by its schema, references resolved. Hold secrets. */
      own: Record<string, unknown>;
      /** Command lines that stop and start the server of production; undefined for a folder. */
      control?: Control;
    };

/** Lines for `sh -c`. */
export type Control = { stop: string; start: string };

export type Service = {
  name: string;
  /** Words of a command, or a line for `sh -c`. Undefined: only controlled, never started by Holdfast. */
  run?: string | readonly string[];
  cwd: string;
  /** OS user of its copies; undefined: the one that runs Holdfast. */
  user?: string;
  /** Stores and services that must be up first. */
  needs: string[];
  /** Services whose addresses it is given. */
  mentions: string[];
  /**
   * May hold `${port}`, `${stores.X.url}`, `${services.Y.url}`: resolved anew for each recovery. `${NAME}` and
   * `${file:…}` are looked up when it starts too, so that no secret of a service is held before.
   */
  env: Record<string, string>;
  health?: string;
  version?: string;
  sideEffects: string[];
  control?: Control;
};

export type Check =
  | { name: string; kind: 'sql'; store: string; query: string; expect: 'empty' | string }
  /** Every value of a column is a file in a store: `keys: orders.items.upload_key` (store.table.column), `in: uploads`. */
  | {
      name: string;
      kind: 'keys';
      store: string;
      table: string;
      column: string;
      in: string;
      /** Column with the time of writing: rows younger than the recovered folder are its RPO, not missing. */
      at?: string;
    }
  | { name: string; kind: 'http'; service: string; path: string; expect: number }
  | { name: string; kind: 'command'; command: string };
