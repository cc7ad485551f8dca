/**
 * Tends the recoveries on this host, as long as a control plane runs: what an end of the former one cut goes on or is
 * given up; mounts that lost their process are mounted again, and servers that ended are started again; what was
 * replayed is written out and made durable; the rest of their data is brought here in the background, and then they
 * leave their mounts, after an announcement. Without a control plane whoever calls `recovery resume` or `hydrate` does
 * it.
 */
import fs from 'node:fs/promises';
import { isHoldfastError, type Logger, pauseMs, systemClock } from '#base';
import {
  announceLeaving,
  detachDeadMounts,
  hydrationOf,
  keepHydrating,
  LIVES,
  listRecoveries,
  type RecoveryState,
  startHydration,
  sweepPassingFolders,
} from '#recovery';
import type { Environments } from '../protection/environments.ts';
import { explained } from '../protection/keep-trying.ts';
import {
  goOnWithCutRecovery,
  leaveMountsOf,
  resumeEnvironment,
  settleEnvironment,
  storesDownOf,
} from '../recovery/index.ts';
import type { StateFolder } from '../state/folder.ts';
import { changeOptions } from './recoveries.ts';

const LOOK_EVERY_MS = 2_000;
/** After something failed, and for a folder that a program keeps in use. */
const TRY_AGAIN_MS = 30_000;
/** Nothing is brought here by itself that would take more of what is free. */
const SHARE_OF_FREE = 0.5;

export type RecoveryKeeperOptions = {
  state: StateFolder;
  environments: Environments;
  log: Logger;
};

export class RecoveryKeeper {
  readonly #options: RecoveryKeeperOptions;
  readonly #stop = new AbortController();
  /** By id: not before then. */
  readonly #waitUntilMs = new Map<string, number>();
  #ended: Promise<void> = Promise.resolve();

  constructor(options: RecoveryKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#ended = this.#keepLooking();
  }

  /** What it is at goes to its end. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the control plane ends'));
    await this.#ended;
  }

  async #keepLooking(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      for (const recovery of await this.#all()) await this.#tendSafely(recovery);
      await pauseMs(LOOK_EVERY_MS, signal);
    }
  }

  async #all(): Promise<RecoveryState[]> {
    const { recoveries } = this.#options.state;
    await sweepPassingFolders(recoveries);
    return await listRecoveries(recoveries);
  }

  async #tendSafely(recovery: RecoveryState): Promise<void> {
    const { id } = recovery;
    if (systemClock.monotonicMs() < (this.#waitUntilMs.get(id) ?? 0)) return;
    try {
      await this.#tend(recovery);
    } catch (error) {
      // Somebody else is at it: looked at again soon.
      if (isHoldfastError(error, 'recovery/being-changed')) return;
      if (isHoldfastError(error, 'recovery/no-such-recovery')) return;
      this.#options.log.warn({ recovery: id, ...explained(error) }, 'a recovery needs a person');
      this.#wait(id);
    }
  }

  #wait(id: string): void {
    this.#waitUntilMs.set(id, systemClock.monotonicMs() + TRY_AGAIN_MS);
  }

  async #tend(recovery: RecoveryState): Promise<void> {
    const { environment, stage, id } = recovery;
    const { environments, log } = this.#options;
    const lives = LIVES.includes(recovery.status);
    if (lives) await detachDeadMounts(recovery.folder);
    // Its repository isn't open yet, or no longer declared: nothing can be fetched.
    if (!environments.all().some((one) => isOf(one, { environment, stage }) && one.protection))
      return;
    const change = { ...changeOptions(this.#options, recovery), signal: this.#stop.signal };
    if (!lives) {
      // A switch goes to its end whatever ends meanwhile.
      const { status } = recovery;
      const wasCut = await goOnWithCutRecovery(changeOptions(this.#options, recovery));
      if (wasCut) log.warn({ recovery: id, status }, 'a recovery that was cut was gone on with');
      return;
    }
    const isLeaving = recovery.hydration?.state === 'leaving';
    if (isLeaving || (await storesDownOf(change)).length > 0) {
      log.warn({ recovery: id }, 'bringing a recovery up again');
      await resumeEnvironment(change);
      return;
    }
    // Not at once: whoever waited for it asks it something first, and nothing else is to keep its disk busy then.
    if (recovery.isUnsettled) await settleEnvironment(change);
    await this.#hydrate(recovery, change);
  }

  async #hydrate(recovery: RecoveryState, change: ReturnType<typeof changeOptions>): Promise<void> {
    const { id, folder, hydration } = recovery;
    const { hydrate, hydrationBytesPerSecond } = change.environment.recovery;
    const progress = await hydrationOf(recovery);
    if (!progress) return;
    const missing = progress.totalBytes - progress.presentBytes;
    if (!hydration && hydrate === 'automatic' && (await hasRoom(folder, missing))) {
      await startHydration(recovery, hydrationBytesPerSecond);
    }
    if (hydration?.state !== 'running') return;
    if (progress.state === 'failed') this.#wait(id);
    if (progress.state !== 'done') return await keepHydrating(recovery);
    if (hydration.leaveAtMs === undefined) return await announceLeaving(recovery);
    if (systemClock.nowMs() < hydration.leaveAtMs) return;
    if ((await leaveMountsOf(change)).length > 0) this.#wait(id);
  }
}

const isOf = (
  one: { name: string; stage: string },
  { environment, stage }: { environment: string; stage: string },
) => one.name === environment && one.stage === stage;

async function hasRoom(folder: string, neededBytes: number): Promise<boolean> {
  const { bavail, bsize } = await fs.statfs(folder);
  return neededBytes < bavail * bsize * SHARE_OF_FREE;
}
