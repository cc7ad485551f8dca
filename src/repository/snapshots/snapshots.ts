/** Snapshots: the roots of everything that is kept. */

/** As in restic's JSON; times are kept as their strings (RFC 3339, up to nanoseconds). */
export type Snapshot = {
  /** Hex id; not in the JSON. */
  id: string;
  time: string;
  /** The same instant, ms since 1970. */
  timeMs: number;
  parent?: string;
  tree: string;
  paths: string[];
  hostname: string;
  username: string;
  uid: number;
  gid: number;
  excludes: string[];
  tags: string[];
  /** Fields that other programs wrote and that must survive a rewrite. */
  others: Record<string, unknown>;
};

export type NewSnapshot = {
  /** ms since 1970, or a Go-compatible string. */
  time: number | string;
  tree: string;
  paths: string[];
  parent?: string;
  hostname?: string;
  username?: string;
  uid?: number;
  gid?: number;
  excludes?: string[];
  tags?: string[];
};

export type SnapshotFilter = { hosts?: string[]; tags?: string[][]; paths?: string[] };

export interface Snapshots {
  /** Newest first. A snapshot that can't be read goes to `onDamaged`; without that, the call rejects. */
  list(
    filter?: SnapshotFilter,
    onDamaged?: (id: string, error: Error) => void,
  ): Promise<Snapshot[]>;
  load(id: string): Promise<Snapshot>;
  /** Durable when it resolves. Only after every blob it needs is durable and indexed. */
  save(snapshot: NewSnapshot): Promise<Snapshot>;
  remove(id: string): Promise<void>;
  /** By the beginning of an id (4 digits at least), or `latest` among those that fit the filter. */
  find(what: string, filter?: SnapshotFilter): Promise<Snapshot>;
}
