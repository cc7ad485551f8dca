/** Times as Go's `time.RFC3339Nano` writes them: up to nine digits without trailing zeros, `Z` or an offset. */

/** UTC. Throws RangeError outside of what a Date can be. */
export function goTime(timeMs: number): string {
  const text = new Date(timeMs).toISOString();
  return text.replace(/\.?0*Z$/, 'Z');
}

/** ms since 1970; NaN where the text is no such time. Digits below a millisecond are cut off. */
export function goTimeMs(text: string): number {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!match) return Number.NaN;
  const [, seconds, fraction = '', zone] = match;
  return Date.parse(`${seconds}.${fraction.padEnd(3, '0').slice(0, 3)}${zone}`);
}
