/** Sorting and joining stretches of a journal. */
import type { Watermark } from '../records/records.ts';

export type Stretch = { line: number; from: bigint; to: bigint; latestMs: number };

export function byPlace(a: Stretch, b: Stretch): number {
  if (a.line !== b.line) return a.line - b.line;
  if (a.from !== b.from) return a.from < b.from ? -1 : 1;
  return a.to < b.to ? -1 : a.to > b.to ? 1 : 0;
}

/** Sorted by line and offset; those that touch or overlap become one, where `alike` allows it. */
export function joinStretches<T extends Stretch>(
  stretches: readonly T[],
  alike: (a: T, b: T) => boolean = () => true,
): T[] {
  const joined: T[] = [];
  for (const next of [...stretches].sort(byPlace)) {
    const last = joined.at(-1);
    if (last && last.line === next.line && next.from <= last.to && alike(last, next)) {
      if (next.to > last.to) last.to = next.to;
      last.latestMs = Math.max(last.latestMs, next.latestMs);
    } else joined.push({ ...next });
  }
  return joined;
}

/** How far the stretches go on unbroken from a place; the place itself where nothing covers it. */
export function unbrokenEnd(stretches: readonly Stretch[], line: number, from: bigint): bigint {
  let end = from;
  for (const stretch of joinStretches(stretches.filter((one) => one.line === line)))
    if (stretch.from <= end && stretch.to > end) end = stretch.to;
  return end;
}

/** How far stretches of one line that had all left the store by then go on unbroken from a place. */
export function sentUntil(stretches: readonly Stretch[], from: bigint, atMs: number): bigint {
  const sent = stretches.filter(({ latestMs }) => latestMs > 0 && latestMs <= atMs);
  return sent.sort(byPlace).reduce((end, one) => {
    return one.from <= end && one.to > end ? one.to : end;
  }, from);
}

/** The last of these places, in their order from this one on, before the first at which the journal stood only later. */
export function standingUntil(standings: readonly Watermark[], from: bigint, atMs: number): bigint {
  let end = from;
  for (const { position, atMs: stoodMs } of standings) {
    if (position.offset <= from) continue;
    if (stoodMs > atMs) break;
    end = position.offset;
  }
  return end;
}
