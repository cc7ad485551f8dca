/**
 * Which captures of a store may go, judged by this host's clock: pure, so that it can be tested without a repository.
 * Inside of the time that is kept, watched folders are thinned: every capture of the last day, one an hour for a week,
 * one a day after that.
 */

export type AgedCapture = { id: string; atMs: number };

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * The newest one always stays, and the newest from before the time that is kept: what begins the window.
 * `thin`: false keeps every capture inside of the time (bases, from which journals go on).
 */
export function expiredCaptures(
  captures: readonly AgedCapture[],
  rule: { nowMs: number; keepMs: number; thin: boolean },
): AgedCapture[] {
  const newestFirst = [...captures].sort((a, b) => b.atMs - a.atMs || (a.id < b.id ? 1 : -1));
  const cutMs = rule.nowMs - rule.keepMs;
  const first = newestFirst.findIndex((capture) => capture.atMs <= cutMs);
  const kept = first === -1 ? newestFirst : newestFirst.slice(0, Math.max(1, first + 1));
  const staying = new Set((rule.thin ? thinned(kept, rule.nowMs) : kept).map(({ id }) => id));
  return newestFirst.filter(({ id }) => !staying.has(id));
}

/** Of each period the newest; the very newest and the very oldest stay in any case. */
function thinned(newestFirst: readonly AgedCapture[], nowMs: number): AgedCapture[] {
  let lastPeriod: string | undefined;
  return newestFirst.filter((capture, at) => {
    const ageMs = nowMs - capture.atMs;
    const periodMs = ageMs <= DAY_MS ? 0 : ageMs <= 7 * DAY_MS ? HOUR_MS : DAY_MS;
    if (periodMs === 0) return true;
    const period = `${periodMs}: ${Math.floor(capture.atMs / periodMs)}`;
    const isNew = period !== lastPeriod;
    lastPeriod = period;
    return isNew || at === newestFirst.length - 1;
  });
}
