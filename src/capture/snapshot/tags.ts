/** Tags of the snapshots that Holdfast makes: what restic's users see of them, and how unrecorded ones are found. */
import { systemClock } from '#base';
import {
  captureOfBlockMapFile,
  listBlockMapFiles,
  listCaptures,
  type Repository,
  type Snapshot,
  type StoreAddress,
  timeOfId,
} from '#repository';

/** `madeOf`: the capture that this one was made of without asking the store (`CaptureRecord.facts.madeOf`). */
export function captureTags(address: StoreAddress, captureId: string, madeOf?: string): string[] {
  return [
    'holdfast',
    `env:${address.environment}/${address.stage}`,
    `store:${address.store}`,
    `capture:${captureId}`,
    ...(madeOf === undefined ? [] : [`made-of:${madeOf}`]),
  ];
}

const CAPTURE_TAG = 'capture:';

function captureOf(snapshot: Snapshot): string | undefined {
  return snapshot.tags.find((tag) => tag.startsWith(CAPTURE_TAG))?.slice(CAPTURE_TAG.length);
}

/** A capture that is being finished elsewhere at this moment isn't touched. */
const LEAVE_ALONE_MS = 3_600_000;

/**
 * Removes snapshots of a store (and block maps) that have no record, because a crash came in between; those of the last
 * hour stay. Resolves to the removed snapshots' ids. Their blobs go with the next prune.
 */
export async function removeUnrecorded(
  repository: Repository,
  address: StoreAddress,
): Promise<string[]> {
  const tags = captureTags(address, '').slice(0, 3);
  const beforeMs = systemClock.nowMs() - LEAVE_ALONE_MS;
  const snapshots = await repository.snapshots.list({ tags: [tags] });
  const old = snapshots.filter((snapshot) => snapshot.timeMs < beforeMs && captureOf(snapshot));
  // After the snapshots: a record that isn't there now is of none of them.
  const recorded = new Set((await listCaptures(repository, address)).map((entry) => entry.id));
  const removed: string[] = [];
  for (const snapshot of old) {
    if (recorded.has(captureOf(snapshot) as string)) continue;
    await repository.snapshots.remove(snapshot.id);
    removed.push(snapshot.id);
  }
  for (const name of await listBlockMapFiles(repository, address)) {
    const id = captureOfBlockMapFile(name);
    const madeAtMs = timeOfId(id);
    if (madeAtMs === undefined || madeAtMs >= beforeMs || recorded.has(id)) continue;
    await repository.sealed.remove(name);
  }
  return removed;
}
