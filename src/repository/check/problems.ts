/** What a check can find. */

export type CheckProblem = {
  kind:
    | 'snapshot-damaged'
    | 'index-damaged'
    | 'key-damaged'
    | 'pack-missing'
    | 'pack-damaged'
    | 'tree-damaged'
    | 'blob-missing'
    | 'own-file-damaged';
  /** Hex id, or name, of what is wrong. */
  id: string;
  /** One sentence for a person. */
  what: string;
};

/** A file of a snapshot that can't come back whole. */
export type AffectedFile = { snapshot: string; path: string; because: string };

export type CheckReport = {
  verdict: 'pass' | 'fail';
  problems: CheckProblem[];
  /** Nothing is lost by these: packs that no index tells of, left by interrupted writers. */
  notes: string[];
  /** Files that damage makes unrestorable: the first 1,000, and how many there are. */
  affected: AffectedFile[];
  affectedCount: number;
  checked: {
    snapshots: number;
    indexes: number;
    packs: number;
    trees: number;
    /** Needed by snapshots. */
    blobs: number;
    /** Read and verified: 0 without `readData`. */
    readPacks: number;
    readBytes: number;
    ownFiles: number;
  };
};
