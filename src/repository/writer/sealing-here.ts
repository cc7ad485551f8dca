import type { RepositorySecrets } from './messages.ts';
import { SealingJobs } from './sealing-jobs.ts';

/** For little work, in the thread of whoever asks: lent to one session of writing, then kept for the next one. */
export class SealingHere {
  readonly #secrets: RepositorySecrets;
  #kept: SealingJobs | undefined;

  constructor(secrets: RepositorySecrets) {
    this.#secrets = secrets;
  }

  lend(): SealingJobs {
    const jobs = this.#kept ?? new SealingJobs(this.#secrets);
    this.#kept = undefined;
    return jobs;
  }

  giveBack(jobs: SealingJobs): void {
    this.#kept = jobs;
  }
}
