/** Which stretches of which timelines lead from a base to where a recovery wants to be. */
import type { CaptureOutcome, JournalAccess, JournalPosition } from '../../source.ts';
import { errors } from '../errors.ts';
import { formatLsn } from '../lsn.ts';
import { parseHistory } from './history.ts';

/** Journal [from, to) of one timeline, unbroken. May be empty. */
export type PathPart = { line: number; from: bigint; to: bigint };

export type JournalPath = {
  /** A record begins here: at the base's start or end. */
  start: bigint;
  /** Each begins where the one before ends, the first at the start. */
  parts: PathPart[];
  end: JournalPosition;
  /** True where the journal ends before the next timeline begins: the path goes no further than that. */
  isBroken: boolean;
};

/** A timeline on the way, and where it is left for the next one. */
type Leg = { line: number; until: bigint | undefined };

/**
 * `line`: the timeline to reach; undefined takes the newest one that the base leads to.
 * @throws postgres/line-unreachable
 */
export async function findPath(
  base: CaptureOutcome,
  journal: JournalAccess,
  line: number | undefined,
): Promise<JournalPath> {
  const legs = await findLegs(base, journal, line);
  // What makes the base consistent lies in its own snapshot, and in the journal only where that ran before.
  const unbroken = await journal.contiguousEnd(base.start);
  const start = unbroken >= base.end.offset ? base.start.offset : base.end.offset;
  const parts: PathPart[] = [];
  let end: JournalPosition = { line: base.end.line, offset: start };
  for (const { line, until } of legs) {
    const from = end.offset;
    const unbroken = await journal.contiguousEnd({ line, offset: from });
    const to = until !== undefined && until < unbroken ? until : unbroken;
    parts.push({ line, from, to });
    end = { line, offset: to };
    if (until !== undefined && to < until) return { start, parts, end, isBroken: true };
  }
  return { start, parts, end, isBroken: false };
}

/** The timeline on which a record at this offset lies. Where parts meet it is the later one. */
export function lineAt(path: JournalPath, offset: bigint): number {
  const part = path.parts.findLast((one) => one.from <= offset);
  return part?.line ?? path.end.line;
}

async function findLegs(
  base: CaptureOutcome,
  journal: JournalAccess,
  line: number | undefined,
): Promise<Leg[]> {
  const own: Leg[] = [{ line: base.end.line, until: undefined }];
  if (line === base.end.line) return own;
  const lines = (await journal.lines()).toSorted((a, b) => b.line - a.line);
  for (const candidate of lines) {
    if (line !== undefined && candidate.line !== line) continue;
    const legs = legsTo(candidate, base);
    if (legs) return legs;
  }
  if (line === undefined) return own;
  const known = lines.map((one) => one.line).toReversed();
  throw errors.lineUnreachable([line, formatLsn(base.end.offset), base.end.line, known]);
}

/** Undefined where this timeline didn't come from the base's, or left it before the base. */
function legsTo(target: { line: number; raw: string }, base: CaptureOutcome): Leg[] | undefined {
  const history = parseHistory(target.raw) ?? [];
  const at = history.findIndex((entry) => entry.line === base.end.line);
  const begin = history[at];
  if (begin === undefined || begin.forkOffset < base.end.offset) return undefined;
  const before = history.slice(at).map((entry) => ({ line: entry.line, until: entry.forkOffset }));
  return [...before, { line: target.line, until: undefined }];
}
