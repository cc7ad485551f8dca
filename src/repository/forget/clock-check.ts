/** Whether our clock can be believed, before anything is removed by it. */
import { formatDuration } from '#base';
import { errors } from '../errors.ts';
import { parseCaptureName, timeOfId } from '../records/names.ts';
import type { Repository } from '../repository.ts';

const MOST_DIFFERENCE_MS = 3_600_000;

/**
 * Throws `repository/clock-disagrees`, naming both, where our clock differs from the storage's by over an hour, or lies
 * that far before the newest capture that was recorded here. Snapshots' own times prove nothing: clients write them.
 */
export async function checkClock(
  repository: Pick<Repository, 'storage' | 'sealed'>,
  nowMs: number,
): Promise<void> {
  const storageMs = await repository.storage.serverTimeMs?.();
  if (storageMs !== undefined && Math.abs(storageMs - nowMs) > MOST_DIFFERENCE_MS) {
    throw disagreement(nowMs, storageMs, 'the clock of the storage');
  }
  let newestMs = Number.NEGATIVE_INFINITY;
  for (const name of await repository.sealed.list('captures/')) {
    const entry = parseCaptureName(name);
    newestMs = Math.max(newestMs, (entry && timeOfId(entry.id)) ?? newestMs);
  }
  if (newestMs - nowMs > MOST_DIFFERENCE_MS) {
    throw disagreement(nowMs, newestMs, 'the newest capture in it');
  }
}

function disagreement(ours: number, other: number, what: string) {
  const show = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
  const apart = formatDuration(Math.abs(other - ours));
  return errors.clockDisagrees([show(ours), what, show(other), apart]);
}
