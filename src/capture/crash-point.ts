/**
 * Names the places between two durable steps. Whoever wants to know that a crash there loses nothing hands in a
 * function that kills the process; nobody else hands in any.
 */
export type CrashPoint = (name: CrashPointName) => void;

export type CrashPointName =
  | 'capture/blobs-stored'
  | 'capture/snapshot-stored'
  | 'capture/block-map-stored'
  | 'capture/record-stored'
  | 'journal/spooled'
  | 'journal/piece-stored'
  | 'journal/pieces-joined'
  | 'journal/batch-blobs-stored'
  | 'journal/batch-snapshot-stored'
  | 'journal/batch-stored'
  | 'journal/batch-piece-removed';

export const noCrash: CrashPoint = () => {};
