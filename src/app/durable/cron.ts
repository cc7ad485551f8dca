/**
 * Any period as a cron expression that fires at least as often, on every instant of the period's own grid. The grid is
 * counted from 1970, so that each slot has a name that never changes.
 */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Seconds first, UTC. */
export function cronFor(everyMs: number): string {
  const second = divisorWithin(everyMs, SECOND_MS, 60);
  if (everyMs % MINUTE_MS !== 0) return `*/${second} * * * * *`;
  const minute = divisorWithin(everyMs, MINUTE_MS, 60);
  if (everyMs % HOUR_MS !== 0) return `0 */${minute} * * * *`;
  const hour = divisorWithin(everyMs, HOUR_MS, 24);
  if (everyMs % DAY_MS !== 0) return `0 0 */${hour} * * *`;
  return '0 0 0 * * *';
}

/** The largest count of units that divides both the period and the next larger unit. */
function divisorWithin(everyMs: number, unitMs: number, unitsInNext: number): number {
  const units = Math.max(1, Math.round(everyMs / unitMs));
  for (let count = Math.min(units, unitsInNext); count > 1; count -= 1) {
    if (units % count === 0 && unitsInNext % count === 0) return count;
  }
  return 1;
}

/** The beginning of the slot that an instant lies in. */
export function slotOf(atMs: number, everyMs: number): number {
  const wholeMs = Math.max(SECOND_MS, Math.round(everyMs / SECOND_MS) * SECOND_MS);
  return Math.floor(atMs / wholeMs) * wholeMs;
}
