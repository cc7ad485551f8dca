/** Which position may be reported to the sender. */
import type { Position, Stretch } from '#repository';

/**
 * Up to where everything is in the repository: before the first byte that is in the spool alone, else where the stream
 * goes on. `before`: what it was until now, for when nothing of that line is in the repository yet.
 */
export function shippedEnd(
  covered: readonly Stretch[],
  unshipped: readonly { line: number; from: bigint }[],
  before: Position | undefined,
  resume: () => Position | undefined,
): Position | undefined {
  const [first] = unshipped;
  if (!first) return resume();
  const last = covered.findLast(({ line, to }) => line === first.line && to <= first.from);
  return last ? { line: last.line, offset: last.to } : before;
}

/** Never back: neither on a line nor to an older line. */
export function flushPosition(
  now: Position | undefined,
  next: Position | undefined,
): Position | undefined {
  if (!now || !next) return next ?? now;
  const onward = next.line > now.line || (next.line === now.line && next.offset > now.offset);
  return onward ? next : now;
}
