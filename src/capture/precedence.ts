/**
 * Journals go before captures: how old what a journal still has to ship gets is the promise, how long a capture takes
 * is not. While a journal of the same repository, in this process, lags, captures of streams are held back.
 */
import { sleepMs, systemClock } from '#base';

/** From this lag on captures wait: well below what is promised, well above what any shipping takes. */
const LAG_BOUND_MS = 1_000;
/** Looked at so often while it waits. */
const LOOK_EVERY_MS = 25;
/**
 * Where the storage is too slow for the journal itself, a capture that waited for it would never end: it is let through
 * in portions, 8 MiB a second.
 */
const PORTION_BYTES = 4 * 2 ** 20;
const LONGEST_WAIT_MS = 500;

type LagOf = () => number;

const journals = new WeakMap<object, Set<LagOf>>();

/** Captures into this repository wait for this journal, until what is returned is called. */
export function goFirst(repository: object, lagMs: LagOf): () => void {
  const here = journals.get(repository) ?? new Set();
  journals.set(repository, here);
  here.add(lagMs);
  return () => here.delete(lagMs);
}

/** Of one capture. */
export class GiveWay {
  readonly #repository: object;
  readonly #signal: AbortSignal;
  #takenBytes = 0;

  constructor(repository: object, signal: AbortSignal) {
    this.#repository = repository;
    this.#signal = signal;
  }

  /** Undefined where it may go on at once, as nearly always. Rejects with the signal's reason. */
  after(bytes: number): Promise<void> | undefined {
    this.#takenBytes += bytes;
    if (this.#takenBytes < PORTION_BYTES) return undefined;
    this.#takenBytes = 0;
    return this.#isLagging() ? this.#wait() : undefined;
  }

  async #wait(): Promise<void> {
    const untilMs = systemClock.monotonicMs() + LONGEST_WAIT_MS;
    while (this.#isLagging() && systemClock.monotonicMs() < untilMs) {
      await sleepMs(LOOK_EVERY_MS, this.#signal);
    }
  }

  #isLagging(): boolean {
    for (const lagMs of journals.get(this.#repository) ?? []) {
      if (lagMs() > LAG_BOUND_MS) return true;
    }
    return false;
  }
}
