import type { JournalAccess, JournalPosition } from '../../source.ts';
import { errors } from '../errors.ts';
import { segmentName, segmentStart } from '../lsn.ts';

/** A stretch of the way from the base to the position: one timeline up to where the next forks off. */
type Stretch = { line: number; from: bigint; to: bigint };

export type PlannedSegment = {
  name: string;
  start: bigint;
  /** Where the bytes come from, in order and without holes. What is left of the segment stays zero. */
  pieces: SegmentPiece[];
};

export type SegmentPiece = {
  /** A WAL file of the base, by its name, or the journal. */
  from: { kind: 'base'; file: string } | { kind: 'journal'; line: number };
  start: bigint;
  end: bigint;
};

export type WalPlan = {
  segments: PlannedSegment[];
  /** Recovery reads up to here, exactly: from here on everything is zero. */
  end: JournalPosition;
  /** Histories of all timelines known, so that a new one gets a number of its own. */
  histories: { line: number; raw: string }[];
};

export type WalPlanRequest = {
  baseStart: JournalPosition;
  baseEnd: JournalPosition;
  position: JournalPosition;
  segmentSizeBytes: number;
  journal: JournalAccess | undefined;
};

/**
 * What WAL a recovery needs, segment by segment: the base's own up to its end, then the journal's up to the position,
 * along the timelines that lead there.
 * @throws postgres/before-base-end, postgres/timeline-unknown
 */
export async function planWal(request: WalPlanRequest): Promise<WalPlan> {
  const lines = (await request.journal?.lines()) ?? [];
  const way = wayTo(request, lines);
  const size = BigInt(request.segmentSizeBytes);
  const segments: PlannedSegment[] = [];
  const first = segmentStart(request.baseStart.offset, request.segmentSizeBytes);
  for (let start = first; start < request.position.offset; start += size) {
    // As Postgres looks for it: in the newest timeline that has begun by this segment.
    const owner = way.findLast((stretch) => segmentStart(stretch.from, Number(size)) <= start);
    const line = owner?.line ?? request.baseEnd.line;
    segments.push({
      name: segmentName(line, start, request.segmentSizeBytes),
      start,
      pieces: piecesOf(start, start + size, way, request),
    });
  }
  return {
    segments,
    end: request.position,
    histories: lines.map(({ line, raw }) => ({ line, raw })),
  };
}

function wayTo(
  request: WalPlanRequest,
  lines: { line: number; parent: number; forkOffset: bigint }[],
): Stretch[] {
  const { baseEnd, position } = request;
  const way: Stretch[] = [];
  let line = position.line;
  let to = position.offset;
  while (line !== baseEnd.line) {
    const known = lines.find((each) => each.line === line);
    if (known === undefined || known.parent >= line) throw errors.timelineUnknown([line]);
    way.unshift({ line, from: known.forkOffset, to });
    to = known.forkOffset;
    line = known.parent;
  }
  if (to < baseEnd.offset) throw errors.beforeBaseEnd([]);
  way.unshift({ line, from: request.baseStart.offset, to });
  return way;
}

function piecesOf(
  start: bigint,
  segmentEnd: bigint,
  way: Stretch[],
  request: WalPlanRequest,
): SegmentPiece[] {
  const { baseEnd, position, segmentSizeBytes } = request;
  const pieces: SegmentPiece[] = [];
  const end = smaller(segmentEnd, position.offset);
  const ownEnd = smaller(end, baseEnd.offset);
  if (start < ownEnd) {
    const file = segmentName(baseEnd.line, start, segmentSizeBytes);
    pieces.push({ from: { kind: 'base', file }, start, end: ownEnd });
  }
  for (const stretch of way) {
    const from = larger(larger(start, baseEnd.offset), stretch.from);
    const to = smaller(end, stretch.to);
    if (from < to) {
      pieces.push({ from: { kind: 'journal', line: stretch.line }, start: from, end: to });
    }
  }
  return pieces;
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
