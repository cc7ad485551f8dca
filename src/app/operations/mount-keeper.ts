/**
 * Has a process at hand that mounts, for each repository under protection: with its index loaded and a thread that waits,
 * so that a recovery begins at once. It is started when this server has nothing else to do, started again when it ends, and
 * goes with the server.
 */
import { type Logger, pauseMs, systemClock } from '#base';
import type { Environment } from '#environment';
import { recoveryErrors, whyNoMount } from '#recovery';
import type { StoreAddress } from '#repository';
import type { EnvironmentProtection } from '../protection/environment-protection.ts';
import type { Environments } from '../protection/environments.ts';
import { keepTrying } from '../protection/keep-trying.ts';
import { mountsOf } from '../recovery/index.ts';
import type { StateFolder } from '../state/folder.ts';

const LOOK_EVERY_MS = 500;
/** A server that is up for less does what must be done first. */
const QUIET_MS = 2_000;
/** One that is never quiet has it all the same. */
const QUIET_WITHIN_MS = 5_000;

export type MountKeeperOptions = {
  state: StateFolder;
  environments: Environments;
  log: Logger;
};

export class MountKeeper {
  readonly #options: MountKeeperOptions;
  readonly #stop = new AbortController();
  readonly #kept = new Map<EnvironmentProtection, Promise<unknown>>();
  #ended: Promise<void> = Promise.resolve();

  constructor(options: MountKeeperOptions) {
    this.#options = options;
  }

  /** Nothing happens where nothing can be mounted. */
  start(): void {
    this.#ended = this.#keepLooking();
  }

  /** Resolves when those processes have ended that serve no mount. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the control plane ends'));
    await this.#ended;
    await Promise.all(this.#kept.values());
  }

  async #keepLooking(): Promise<void> {
    const { signal } = this.#stop;
    if ((await whyNoMount()) !== undefined) return;
    while (!signal.aborted) {
      for (const { protection } of this.#options.environments.all()) {
        if (!protection || this.#kept.has(protection) || !isWanted(protection)) continue;
        const kept = this.#keep(protection).finally(() => this.#kept.delete(protection));
        this.#kept.set(protection, kept);
      }
      await pauseMs(LOOK_EVERY_MS, signal);
    }
  }

  /** Until its protection ends, or this. Never rejects. */
  async #keep({ environment, context, stopping }: EnvironmentProtection): Promise<void> {
    const { repository, activity, log } = context;
    const signal = AbortSignal.any([this.#stop.signal, stopping]);
    const startByMs = systemClock.monotonicMs() + QUIET_WITHIN_MS;
    while (activity.quietMs() < QUIET_MS && systemClock.monotonicMs() < startByMs) {
      await pauseMs(LOOK_EVERY_MS, signal);
      if (signal.aborted) return;
    }
    const mounts = mountsOf(environment, repository, this.#options.state.recoveries);
    const stopped = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await keepTrying(
      {
        signal,
        onTrouble: (trouble) => {
          if (trouble) log.warn({ what: trouble.what }, 'mounting is made ready again');
        },
      },
      async (wentWell) => {
        const held = await mounts.hold(addressesOf(environment));
        void held.ready.then((isReady) => isReady && wentWell());
        await Promise.race([held.ended, stopped]);
        if (!signal.aborted) throw recoveryErrors.mountServiceSilent([]);
        await held.letGo();
      },
    );
  }
}

function addressesOf({ name: environment, stage, stores }: Environment): StoreAddress[] {
  return stores.map(({ name: store }) => ({ environment, stage, store }));
}

function isWanted({ environment, context, stopping }: EnvironmentProtection): boolean {
  if (stopping.aborted || environment.recovery.mounting === 'asked') return false;
  return !context.repository.location.startsWith('memory:');
}
