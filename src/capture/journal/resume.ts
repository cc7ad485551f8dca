/** Where a journal goes on after a restart: what is in the repository, what the spool has beyond it, and known gaps. */
import {
  type JournalGap,
  joinStretches,
  type Position,
  type Stretch,
  unbrokenEnd,
} from '#repository';

/**
 * The end of the unbroken bytes of the newest line, over recorded gaps but over no other hole: what is missing there is
 * asked for again. Undefined where there is nothing yet.
 */
export function resumePosition(
  shipped: readonly Stretch[],
  spooled: readonly Stretch[],
  gaps: readonly JournalGap[],
): Position | undefined {
  const all = joinStretches([...shipped, ...spooled]);
  const line = all.at(-1)?.line;
  if (line === undefined) return undefined;
  const here = all.filter((stretch) => stretch.line === line);
  const lastShipped = shipped.findLast((stretch) => stretch.line === line);
  let offset = lastShipped?.to ?? (here[0] as Stretch).from;
  for (;;) {
    offset = unbrokenEnd(here, line, offset);
    const next = here.find((stretch) => stretch.from > offset);
    if (!next || !gaps.some((gap) => spans(gap, line, offset, next.from))) break;
    offset = next.from;
  }
  return { line, offset };
}

function spans({ from, to }: JournalGap, line: number, start: bigint, end: bigint): boolean {
  if (from.line !== line || from.offset > start) return false;
  return to === undefined || to.line > line || to.offset >= end;
}

/**
 * The latest instant up to which nothing is missing before this place, as far as is known: what is noticed only after a
 * restart was lost long before. The sender's clock is taken for ours. Undefined where nothing is known.
 */
export function wholeUntilMs(
  place: Position,
  stretches: readonly Stretch[],
  standings: readonly ({ atMs: number; position: Position } | undefined)[],
): number | undefined {
  const isBefore = (line: number, offset: bigint) => line === place.line && offset <= place.offset;
  const received = stretches.filter(({ line, to, latestMs }) => latestMs > 0 && isBefore(line, to));
  const stood = standings.filter((at) => at && isBefore(at.position.line, at.position.offset));
  const known = [...received.map(({ latestMs }) => latestMs), ...stood.map((at) => at?.atMs ?? 0)];
  return known.length === 0 ? undefined : Math.max(...known);
}
