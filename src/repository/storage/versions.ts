/** Storages that keep what was overwritten or removed, and that can lock files against both for a time. */

export type FileVersion = {
  name: string;
  versionId: string;
  sizeBytes: number;
  /** By the storage's clock, ms since 1970. */
  writtenMs: number;
  /** It is what readers see; where that is a removal, they see none. */
  isCurrent: boolean;
  /** Not content, but the note that the file was removed. */
  isRemoval: boolean;
  /** The same for the same content, as far as the storage tells; empty for a removal. */
  contentTag: string;
};

/** For how long what is written can be neither overwritten for good nor removed by anybody. */
export type FileLock = {
  /** Governance: whoever has a special right may lift it. Compliance: nobody may, not even the account's owner. */
  mode: 'governance' | 'compliance';
  days: number;
  /** Journal pieces, which a batch replaces within hours at most. Default 1. */
  pieceDays?: number;
};

export interface FileVersions {
  /** What applies to new files; undefined where nothing is locked. */
  lock(): Promise<FileLock | undefined>;
  /** Of all names that begin with the prefix; those of one name follow each other, the newest first. */
  list(prefix: string): AsyncIterable<FileVersion>;
  read(version: FileVersion): Promise<Buffer>;
  /** Makes this version what readers see: it is written anew, and locked anew where new files are. */
  makeCurrent(version: FileVersion): Promise<void>;
  /** Undefined where it isn't locked. Without `versionId`: what readers see. Throws `repository/not-in-storage`. */
  lockedUntilMs(file: { name: string; versionId?: string }): Promise<number | undefined>;
  /** Never to an earlier time. */
  extendLock(
    file: { name: string; versionId: string },
    mode: FileLock['mode'],
    untilMs: number,
  ): Promise<void>;
}

const DAY_MS = 86_400_000;

/** Pieces of a journal, which a batch replaces. */
const PIECE = /^holdfast\/journal\/(?:[^/]+\/){3}pieces\//;

/** How long a new file is locked, ms; 0 for the repository's own locks, which come and go. */
export function lockedForMs(lock: FileLock, name: string): number {
  if (name.startsWith('locks/')) return 0;
  return (PIECE.test(name) ? (lock.pieceDays ?? 1) : lock.days) * DAY_MS;
}
