/** What a check can find. */

export type CheckProblem = {
  kind:
    | 'config-damaged'
    | 'snapshot-damaged'
    | 'index-damaged'
    | 'key-damaged'
    | 'pack-missing'
    | 'pack-damaged'
    | 'tree-damaged'
    | 'blob-missing'
    | 'own-file-damaged'
    | 'journal-missing';
  /** Hex id, or name, of what is wrong. */
  id: string;
  /** One sentence for a person. */
  what: string;
};

/** A file of a snapshot that can't come back whole. */
export type AffectedFile = { snapshot: string; path: string; because: string };

/** A damaged file that the check has brought back. */
export type MendedFile = { name: string; what: string };

export type CheckReport = {
  /** `fail` where problems are left. */
  verdict: 'pass' | 'fail';
  problems: CheckProblem[];
  /** By parity or from second copies: nothing is wrong with these any more. */
  mended: MendedFile[];
  /** Nothing is lost by these: packs that no index tells of, left by interrupted writers, and the like. */
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
    /** Read and verified: 0 where only the structure was looked at. */
    readPacks: number;
    readBytes: number;
    ownFiles: number;
    /** Of packs and own files; what was read is a part of it. */
    totalBytes: number;
    /** Second copies and sidecars of parity that were read. */
    copies: number;
    parity: number;
  };
};
