import type { ProgressListener } from '#base';
import { errors } from '../errors.ts';
import type { RepositoryLock } from '../locks/locks.ts';
import type { Repository } from '../repository.ts';

export type RepairOptions = {
  /** Look and tell; change nothing. */
  dryRun?: boolean;
  /** How long to wait where somebody else holds the repository. Default 0: refused at once. */
  lockWaitMs?: number;
  signal?: AbortSignal;
  progress?: ProgressListener;
};

/** Nobody writes or prunes meanwhile. What is loaded of the index is dropped before and after. */
export async function underExclusiveLock<T>(
  repository: Repository,
  options: RepairOptions,
  work: (signal: AbortSignal, lock: RepositoryLock) => Promise<T>,
): Promise<T> {
  if (repository.config.version < 2) {
    throw errors.olderFormat([repository.location, repository.config.version]);
  }
  const lock = await repository.lock('exclusive', { waitMs: options.lockWaitMs ?? 0 });
  const signal = options.signal ? AbortSignal.any([options.signal, lock.signal]) : lock.signal;
  repository.dropIndex();
  try {
    return await work(signal, lock);
  } finally {
    repository.dropIndex();
    await lock.release();
  }
}
