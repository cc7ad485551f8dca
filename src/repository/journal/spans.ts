/** Sorting and joining stretches of a journal. */

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
