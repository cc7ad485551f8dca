import { systemClock } from '#base';
import type { LockOptions, RepositoryLock } from './locks.ts';

export type LingerTiming = {
  /** How long a lock stays after its last user, for the next one. */
  lingerMs: number;
  /** Who waits for the repository alone must find a gap: an older lock goes with its last user. */
  maxAgeMs: number;
};

const TIMING: LingerTiming = { lingerMs: 5_000, maxAgeMs: 30_000 };

type Held = {
  lock: RepositoryLock;
  takenMs: number;
  users: number;
  timer: NodeJS.Timeout | undefined;
};

/**
 * Shared locks for what is done every second: to take one means to write a file and to wait until others would have
 * seen it, so it stays for some seconds and serves many users, one after another or at once. Keeps no process alive.
 */
export class LingeringLocks {
  readonly #take: (options: LockOptions) => Promise<RepositoryLock>;
  readonly #timing: LingerTiming;
  readonly #held = new Set<Held>();
  /** The one that further users share. */
  #current: Held | undefined;
  #quiet = 0;

  constructor(take: (options: LockOptions) => Promise<RepositoryLock>, timing = TIMING) {
    this.#take = take;
    this.#timing = timing;
  }

  /** A share of the lock: its `signal` is that of the lock itself. Throws what taking one throws. */
  async share(options: LockOptions): Promise<RepositoryLock> {
    const current = this.#current;
    if (current && this.#isGood(current)) return this.#shareOf(current);
    const lock = await this.#take(options);
    const held: Held = {
      lock,
      takenMs: systemClock.monotonicMs(),
      users: 0,
      timer: undefined,
    };
    this.#held.add(held);
    this.#current = held;
    return this.#shareOf(held);
  }

  /** Does the work while none lingers: those without a user go before, others with their last one. */
  async quietly<T>(work: () => Promise<T>): Promise<T> {
    this.#quiet += 1;
    try {
      await this.dropUnused();
      return await work();
    } finally {
      this.#quiet -= 1;
    }
  }

  async dropUnused(): Promise<void> {
    const unused = [...this.#held].filter(({ users }) => users === 0);
    await Promise.all(unused.map((held) => this.#drop(held)));
  }

  #isGood({ lock, takenMs }: Held): boolean {
    const ageMs = systemClock.monotonicMs() - takenMs;
    return !lock.signal.aborted && ageMs < this.#timing.maxAgeMs;
  }

  #shareOf(held: Held): RepositoryLock {
    const { kind, signal } = held.lock;
    clearTimeout(held.timer);
    held.users += 1;
    let released = false;
    const release = async () => {
      if (released) return;
      released = true;
      held.users -= 1;
      if (held.users === 0) await this.#unused(held);
    };
    return { kind, signal, release };
  }

  async #unused(held: Held): Promise<void> {
    const stays = held === this.#current && this.#quiet === 0 && this.#isGood(held);
    if (!stays) return this.#drop(held);
    // Nobody waits for it then; a lock that can't be removed goes stale by itself.
    const drop = () => this.#drop(held).catch(() => {});
    held.timer = setTimeout(() => void drop(), this.#timing.lingerMs).unref();
  }

  async #drop(held: Held): Promise<void> {
    clearTimeout(held.timer);
    if (this.#current === held) this.#current = undefined;
    this.#held.delete(held);
    await held.lock.release();
  }
}
