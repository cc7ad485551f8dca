/** What a thread that walks is told and tells. */
import type { EntryTableParts } from '#base';

/** `root`: an absolute path (latin1) that lies on `rootDevice`; patterns and the last as `WalkOptions` has them. */
export type WalkOrder = {
  root: string;
  rootDevice: bigint;
  exclude: readonly string[];
  oneFileSystem: boolean;
};

/** Events as `CaptureEvent` has them, with paths as latin1: a `Buffer` would take the memory that it lies in along. */
export type SentEvent =
  | { kind: 'folder'; path: string; entries: EntryTableParts; isPlain: boolean; isLast: boolean }
  | { kind: 'leave'; path: string }
  | { kind: 'problem'; path: string; what: string };

/** What goes wrong with the walk as a whole ends the thread with that error. */
export type FromWalk = { kind: 'events'; events: SentEvent[] } | { kind: 'end' };

/** Batches that the thread sends before one is taken; each is answered by an empty message when it was. */
export const BATCHES_AHEAD = 16;
