import { systemClock } from '#base';
import type { SqlConnection } from '../connection/index.ts';

export type ClockOffset = { offsetMs: number; uncertaintyMs: number };

const ROUNDS = 5;
/** Within this a message gets from a primary to its standby. */
const LONGEST_HOP_MS = 100;

/** Where the clocks can't be compared: a day covers any zone mistake. */
export const UNKNOWN_CLOCK: ClockOffset = { offsetMs: 0, uncertaintyMs: 86_400_000 };

/**
 * Commits bear the primary's clock, and only the standby's can be asked. `aheadMs`: the primary's clock minus the
 * standby's by a message that took some time on its way; undefined where none was seen.
 */
export function primaryClock(standby: ClockOffset, aheadMs: number | undefined): ClockOffset {
  if (aheadMs === undefined) return { ...UNKNOWN_CLOCK, offsetMs: standby.offsetMs };
  const { offsetMs, uncertaintyMs } = standby;
  return { offsetMs: offsetMs + aheadMs, uncertaintyMs: uncertaintyMs + LONGEST_HOP_MS };
}

/**
 * The server's clock minus ours, by the shortest of a few round trips: the server read its clock somewhere between
 * question and answer (Cristian's algorithm).
 */
export async function measureClock(sql: SqlConnection): Promise<ClockOffset> {
  let best: ClockOffset = { offsetMs: 0, uncertaintyMs: Number.MAX_SAFE_INTEGER };
  for (let round = 0; round < ROUNDS; round += 1) {
    const askedMs = systemClock.nowMs();
    const began = systemClock.monotonicMs();
    const [row] = await sql.query<{ now_ms: number }>(
      'select (extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms',
    );
    const uncertaintyMs = (systemClock.monotonicMs() - began) / 2;
    if (row !== undefined && uncertaintyMs < best.uncertaintyMs) {
      best = { offsetMs: row.now_ms - (askedMs + uncertaintyMs), uncertaintyMs };
    }
  }
  // Date.now() counts whole milliseconds.
  return { offsetMs: best.offsetMs, uncertaintyMs: best.uncertaintyMs + 1 };
}
