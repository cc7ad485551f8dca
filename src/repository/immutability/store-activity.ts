/** What each store of a repository did lately, as its records tell: the ground of an estimate. */
import { systemClock } from '#base';
import { listPieces } from '../journal/pieces.ts';
import { listCaptures, listStores, readCapture } from '../records/captures.ts';
import type { StoreAddress } from '../records/records.ts';
import type { Repository } from '../repository.ts';
import type { StoreActivity } from './estimate-cost.ts';

const DAY_MS = 86_400_000;

/** The first capture of a new store says nothing of its days. */
const LEAST_DAYS = 1;

/** Averages over the last `days`. A younger store counts for the days that it has. */
export async function storeActivity(repository: Repository, days = 7): Promise<StoreActivity[]> {
  const activities: StoreActivity[] = [];
  for (const address of await listStores(repository)) {
    activities.push(await activityOf(repository, address, days));
  }
  return activities;
}

async function activityOf(
  repository: Repository,
  address: StoreAddress,
  days: number,
): Promise<StoreActivity> {
  const nowMs = systemClock.nowMs();
  const sinceMs = nowMs - days * DAY_MS;
  const total = { storedBytes: 0, newBytes: 0, captures: 0, batches: 0 };
  let firstMs = nowMs;
  for (const entry of await listCaptures(repository, address)) {
    const { endedAtMs, kind, statistics } = await readCapture(repository, entry);
    firstMs = Math.min(firstMs, Math.max(endedAtMs, sinceMs));
    total.storedBytes += statistics.storedBytes;
    if (endedAtMs < sinceMs) continue;
    total.newBytes += statistics.storedBytes;
    if (kind === 'journal-batch') total.batches += 1;
    else total.captures += 1;
  }
  const spanDays = Math.max((nowMs - firstMs) / DAY_MS, LEAST_DAYS);
  return {
    store: `${address.environment}/${address.stage}/${address.store}`,
    storedBytes: total.storedBytes,
    newBytesPerDay: total.newBytes / spanDays,
    capturesPerDay: total.captures / spanDays,
    journalBatchesPerDay: total.batches / spanDays,
    journalPiecesPerDay: piecesPerDay(await listPieces(repository, address)),
  };
}

/** From those that no batch has replaced yet. */
function piecesPerDay(pieces: readonly { latestMs: number }[]): number {
  const times = pieces.map(({ latestMs }) => latestMs).filter((ms) => ms > 0);
  if (times.length < 2) return times.length;
  const spanMs = Math.max(...times) - Math.min(...times);
  return spanMs > 0 ? ((times.length - 1) / spanMs) * DAY_MS : times.length;
}
