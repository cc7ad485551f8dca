/** What the WAL decoder tells. */

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
