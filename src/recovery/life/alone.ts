/** One at a time works on a recovery: whoever makes, changes or removes it holds its lock, which ends with the process. */
import path from 'node:path';
import { type FileLock, lockFile, sleepMs, systemClock, systemCode } from '#base';
import { errors } from '../errors.ts';
import type { RecoveryState } from '../request.ts';
import { LOCK_FILE } from './folder.ts';
import { readState } from './state.ts';

/** Changes are mostly short: mounting again, noting what is wanted. */
const PATIENCE_MS = 20_000;
const LOOK_EVERY_MS = 50;

/**
 * `state` is what its file says once nobody else is at it. Throws `recovery/being-changed`, and
 * `recovery/no-such-recovery` where it was removed meanwhile.
 */
export async function alone<T>(state: RecoveryState, work: () => Promise<T>): Promise<T> {
  const lock = await lockSoon(state);
  try {
    const current = await readState(state.folder);
    if (!current) throw errors.noSuchRecovery([state.id]);
    for (const key of Object.keys(state)) delete (state as Record<string, unknown>)[key];
    Object.assign(state, current);
    return await work();
  } finally {
    await lock.release();
  }
}

/** Waits for a change to end, but not for a recovery that is still being made: that may take long. */
async function lockSoon({ folder, id }: RecoveryState): Promise<FileLock> {
  const deadlineMs = systemClock.monotonicMs() + PATIENCE_MS;
  for (;;) {
    const lock = await lockFile(path.join(folder, LOCK_FILE)).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') throw errors.noSuchRecovery([id]);
      throw error;
    });
    if (lock) return lock;
    const isMade = (await readState(folder))?.status !== 'recovering';
    if (!isMade || systemClock.monotonicMs() > deadlineMs) throw errors.beingChanged([id]);
    await sleepMs(LOOK_EVERY_MS);
  }
}
