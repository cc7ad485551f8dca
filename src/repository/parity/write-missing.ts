/** Parity of packs that were stored without: by restic, before it was switched on, or by a writer that was interrupted. */
import { type ProgressListener, silent } from '#base';
import { storedPacks } from '../check/packs.ts';
import { inLanes } from '../in-lanes.ts';
import type { Repository } from '../repository.ts';
import { storedParity } from './parity-names.ts';
import { removeParity } from './remove-parity.ts';

const PACKS_AT_ONCE = 2;

export type ParityWritten = {
  packs: number;
  bytes: number;
  /** Damaged packs, of which no parity can be made. */
  damaged: string[];
  /** Sidecars of packs that are gone, removed. */
  removed: number;
};

export type ParityStatus = {
  packs: number;
  packBytes: number;
  /** Packs with a sidecar, and what the sidecars take. */
  covered: number;
  parityBytes: number;
};

export async function parityStatus({ storage }: Repository): Promise<ParityStatus> {
  const packs = await storedPacks(storage);
  const parity = await storedParity(storage);
  const sum = (sizes: Iterable<number>) => [...sizes].reduce((total, size) => total + size, 0);
  return {
    packs: packs.size,
    packBytes: sum(packs.values()),
    covered: [...packs.keys()].filter((id) => parity.has(id)).length,
    parityBytes: sum(parity.values()),
  };
}

/**
 * Beside writers, at any time, and again after an interruption; whether parity is on for what comes doesn't matter. Takes
 * a shared lock, so that nobody prunes meanwhile.
 */
export async function writeMissingParity(
  repository: Repository,
  options: { signal?: AbortSignal; progress?: ProgressListener; lockWaitMs?: number } = {},
): Promise<ParityWritten> {
  const lock = await repository.lock('shared', { waitMs: options.lockWaitMs ?? 0 });
  const signal = options.signal ? AbortSignal.any([options.signal, lock.signal]) : lock.signal;
  const progress = options.progress ?? silent;
  const written: ParityWritten = { packs: 0, bytes: 0, damaged: [], removed: 0 };
  try {
    const packs = await storedPacks(repository.storage);
    const parity = await storedParity(repository.storage);
    const missing = [...packs].filter(([id]) => !parity.has(id));
    const totalBytes = missing.reduce((sum, [, sizeBytes]) => sum + sizeBytes, 0);
    let doneBytes = 0;
    await inLanes(missing, PACKS_AT_ONCE, async ([packId, sizeBytes]) => {
      signal.throwIfAborted();
      const sidecarBytes = await repository.parity.writeFor(packId);
      if (sidecarBytes === undefined) written.damaged.push(packId);
      else {
        written.packs += 1;
        written.bytes += sidecarBytes;
      }
      doneBytes += sizeBytes;
      progress({ step: 'writing parity', doneBytes, totalBytes });
    });
    // A pack that came while this ran may have its sidecar already: what is stored now decides.
    const now = await storedPacks(repository.storage);
    const orphans = [...parity.keys()].filter((id) => !now.has(id));
    if (orphans.length > 0) {
      written.removed = await removeParity(repository.storage, orphans, signal);
    }
  } finally {
    await lock.release();
  }
  return written;
}
