import { errors } from '../errors.ts';
import { segmentName, segmentStart } from '../lsn.ts';
import type { WalPosition } from './archives.ts';

/** The base starts by itself only with every segment from its start to its end: their names, in order. */
export function neededSegments(
  start: WalPosition,
  end: WalPosition,
  segmentSizeBytes: number,
): string[] {
  const names: string[] = [];
  const last = segmentStart(end.lsn - 1n, segmentSizeBytes);
  for (
    let at = segmentStart(start.lsn, segmentSizeBytes);
    at <= last;
    at += BigInt(segmentSizeBytes)
  ) {
    // A standby may have been promoted meanwhile; the server refuses that by itself.
    names.push(segmentName(end.timeline, at, segmentSizeBytes));
  }
  return names;
}

/** @throws postgres/wal-missing */
export function requireSegments(names: readonly string[], seen: ReadonlySet<string>): void {
  for (const name of names) if (!seen.has(name)) throw errors.walMissing([name]);
}
