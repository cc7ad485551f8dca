/** Where the search for a target may begin, so that a journal of days isn't read for its last minute. */
import type { JournalAccess, Target } from '../../source.ts';
import { segmentStart } from '../lsn.ts';
import type { JournalPath } from './path.ts';

/** So much before the place is read with it: the last commit that is in usually lies there. */
const BEFORE_BYTES = 8192n;

export type ScanStart = {
  /**
   * The store's clock may have been set back by so much: what left it that much before an instant holds no commit later
   * than the instant, whatever the clock did.
   */
  clockStepMs: number;
  segmentSizeBytes: number;
};

/**
 * Each earlier than the one before, the last the path's own start: where what was read from one doesn't tell enough, the
 * next is to be tried. Beginnings of segments, because behind the end of one that was switched lies nothing that can be
 * understood. Only the end and names are looked for from the start: damage must show, and a name may lie anywhere.
 */
export async function* scanStarts(
  path: JournalPath,
  journal: JournalAccess,
  target: Target,
  { clockStepMs, segmentSizeBytes }: ScanStart,
): AsyncGenerator<bigint> {
  let limit = path.start;
  if (target.kind === 'position') limit = target.position.offset;
  if (target.kind === 'time') limit = await sentBy(path, journal, target.atMs - clockStepMs);
  if (limit > path.end.offset) limit = path.end.offset;
  let backBytes = BEFORE_BYTES;
  for (;;) {
    const start = limit > backBytes ? segmentStart(limit - backBytes, segmentSizeBytes) : 0n;
    if (start <= path.start) break;
    yield start;
    backBytes = 2n * backBytes + BigInt(segmentSizeBytes);
  }
  yield path.start;
}

/** Up to here the path holds nothing later. */
async function sentBy(path: JournalPath, journal: JournalAccess, atMs: number): Promise<bigint> {
  for (const { line, from, to } of path.parts) {
    const end = (await journal.sentBy?.(line, from, to, atMs)) ?? from;
    if (end < to) return end;
  }
  return path.end.offset;
}
