/** How a journal runs over forks: from a place on one line to the lines that came from it. */
import type { CaptureRecord, JournalLine, JournalReader, Position, Watermark } from '#repository';

/** A line on the way, and where it is left for the next one; undefined: it is followed to its end. */
export type Leg = { line: number; until: bigint | undefined };

/** From a place to a line. Undefined where the line didn't come from the place's, or left it before the place. */
export function legsTo(
  from: Position,
  line: number,
  lines: readonly JournalLine[],
): Leg[] | undefined {
  const legs: Leg[] = [{ line, until: undefined }];
  for (let at = line; at !== from.line; ) {
    const began = lines.find((one) => one.line === at);
    // A line comes from an older one: what is recorded otherwise is not followed in circles.
    if (!began || began.parent >= at) return undefined;
    if (began.parent === from.line && began.forkOffset < from.offset) return undefined;
    at = began.parent;
    legs.unshift({ line: at, until: began.forkOffset });
  }
  return legs;
}

/** Where a recovery goes when nobody names a line: to the newest one that the place leads to. */
export function newestLegs(from: Position, lines: readonly JournalLine[]): Leg[] {
  for (const { line } of lines.toSorted((a, b) => b.line - a.line)) {
    const legs = legsTo(from, line, lines);
    if (legs) return legs;
  }
  return [{ line: from.line, until: undefined }];
}

/** What is known of when the journal stood where: by the store's clock, and by Holdfast's. */
export type KnownInstants = { standings: readonly Watermark[]; watermarks: readonly Watermark[] };

/** Finest around the forks, where it decides on which line an instant lies. */
export async function knownInstants(
  journal: JournalReader,
  lines: readonly JournalLine[],
): Promise<KnownInstants> {
  const forks = lines.flatMap(({ line, parent, forkOffset }) => [
    { line: parent, offset: forkOffset },
    { line, offset: forkOffset },
  ]);
  const [standings, watermarks] = await Promise.all([
    journal.standings(forks),
    journal.watermarks(),
  ]);
  return { standings, watermarks };
}

/** What was committed by then (Holdfast's clock, ms) is in this base: of a standby, which may lag, less than its time. */
export function baseKnownMs({ facts, endedAtMs }: CaptureRecord): number {
  return typeof facts.asOfMs === 'number' ? Math.min(facts.asOfMs, endedAtMs) : endedAtMs;
}

/**
 * The instants (Holdfast's clock, ms, ascending) by which the journal is known to have stood on this line, at `from` or
 * after it, and not beyond `to`.
 */
export function instantsOn(
  { standings, watermarks }: KnownInstants,
  { line, from, to }: { line: number; from: bigint; to?: bigint },
  clockOffsetMs: number,
): number[] {
  const isWithin = ({ position: { line: on, offset } }: Watermark) =>
    on === line && offset >= from && (to === undefined || offset <= to);
  const known = [
    ...standings.filter(isWithin).map(({ atMs }) => atMs - clockOffsetMs),
    ...watermarks.filter(isWithin).map(({ atMs }) => atMs),
  ];
  return known.sort((a, b) => a - b);
}
