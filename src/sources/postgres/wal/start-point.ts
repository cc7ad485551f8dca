import type { JournalPosition } from '../../source.ts';
import { errors } from '../errors.ts';
import { segmentStart } from '../lsn.ts';
import type { HistoryEntry } from './history.ts';

export type KnownPositions = {
  /** End of what is safe here. */
  resume: JournalPosition | undefined;
  serverLine: number;
  /** Of `serverLine`: the lines before it. */
  history: readonly HistoryEntry[];
  /** From here on the server keeps WAL for us. */
  keepsFrom: bigint;
  segmentSizeBytes: number;
};

/**
 * Where streaming begins. A stretch that doesn't go on from what is here begins with its segment, as does each new
 * timeline: its first segment holds a copy of what came before the fork.
 * @throws postgres/server-behind
 */
export function startingPoint(known: KnownPositions): JournalPosition {
  const { resume, serverLine, history, keepsFrom, segmentSizeBytes } = known;
  if (resume === undefined) {
    const offset = segmentStart(keepsFrom, segmentSizeBytes);
    return { line: lineAt(offset, known), offset };
  }
  if (resume.line === serverLine) return resume;
  if (resume.line > serverLine) throw errors.serverBehind([serverLine, resume.line]);
  const at = history.findIndex((entry) => entry.line === resume.line);
  const entry = history[at];
  if (entry !== undefined && resume.offset < entry.forkOffset) return resume;
  // Past the fork, or on a branch that the server left aside (a recovery to an instant before it): what is here stays
  // as a branch of its own, and the server's line is followed from where it begins.
  const fork = entry ?? history.at(-1);
  const line = entry === undefined ? serverLine : (history[at + 1]?.line ?? serverLine);
  return { line, offset: segmentStart(fork?.forkOffset ?? keepsFrom, segmentSizeBytes) };
}

function lineAt(offset: bigint, known: KnownPositions): number {
  return known.history.find((entry) => offset < entry.forkOffset)?.line ?? known.serverLine;
}
