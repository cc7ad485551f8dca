/** What shipping a journal is told, and what it tells. */
import type { Clock, Logger } from '#base';
import type { Position, Repository, StoreAddress } from '#repository';
import type { CrashPoint } from '../crash-point.ts';
import type { LagFigures } from './lag.ts';

export type JournalShippingOptions = {
  repository: Repository;
  address: StoreAddress;
  /** Type of the source: `postgres`. */
  source: string;
  /** This store's spool on this host: made 0700, used by one process at a time. */
  spoolFolder: string;
  log: Logger;
  /**
   * What counts as flushed. `shipped`: what is in the repository; where that lags by more than `slotBoundBytes`, what is
   * fsynced in the spool. `spooled` (for `rpo: 0`): always what is fsynced in the spool.
   */
  flush?: 'shipped' | 'spooled';
  /** Default 1 GiB. */
  slotBoundBytes?: number;
  /** The spool takes no more than this: the source must wait. Default 2 GiB. */
  spoolBoundBytes?: number;
  /** Shipped bytes stay in the spool up to this much, to make batches of without reading them back. Default 256 MiB. */
  spoolKeepBytes?: number;
  /** Size of the files that batches consist of. Default 16 MiB. */
  segmentSizeBytes?: number;
  /** Names that sort as offsets do. Default: line and offset in hex. */
  segmentName?: (line: number, from: bigint) => string;
  shipEveryMs?: number;
  batchAfterMs?: number;
  batchAtBytes?: number;
  joinAbove?: number;
  watermarkEveryMs?: number;
  /** How often it is looked whether a batch or watermark is due. Default 10 s; 0: only when `housekeep` is called. */
  housekeepEveryMs?: number;
  /** Called when a line is durable that the source has told of; again after a restart, as the source tells it. */
  onLineStarted?: (line: number) => void;
  clock?: Clock;
  crashPoint?: CrashPoint;
};

/** `lagMs` also counts how far a sender that only passes the journal on is known to be behind. */
export type ShippingStatus = LagFigures & {
  /** End of what is fsynced here, and of what is unbroken in the repository. */
  synced: Position | undefined;
  shipped: Position | undefined;
  unshippedBytes: number;
  spoolBytes: number;
  pieces: number;
  batches: number;
  /** When something was last shipped, and when the sender was last heard, ms since 1970. */
  shippedAtMs: number | undefined;
  heardAtMs: number | undefined;
  /** Why shipping fails at the moment; it is tried again all the time. */
  trouble: unknown;
};
