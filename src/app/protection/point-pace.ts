/** When a recovery point is noted for captures that follow each other all the time: at once, then once in a while. */
import { sleepMs, systemClock } from '#base';
import { keepTrying, type Trouble } from './keep-trying.ts';

export type PointPaceOptions = {
  everyMs: number;
  /** When aborted, what waits is let go: the captures are there without a point. */
  signal: AbortSignal;
  /** Notes a point of the newest captures of all stores, and calls `pointed`. */
  note(): Promise<void>;
  /** Of a point that nobody waits for; it is tried again. */
  onTrouble(trouble: Trouble | undefined): void;
};

export class PointPace {
  readonly #options: PointPaceOptions;
  /** By store, on the monotonic clock. */
  readonly #pointedAtMs = new Map<string, number>();
  #later: Promise<void> | undefined;

  constructor(options: PointPaceOptions) {
    this.#options = options;
  }

  /** Resolves when no point is waiting to be noted any more. */
  get ended(): Promise<void> {
    return this.#later ?? Promise.resolve();
  }

  pointed(stores: Iterable<string>): void {
    for (const store of stores) this.#pointedAtMs.set(store, systemClock.monotonicMs());
  }

  /** A point is noted now where the store's last one is old enough (rejects where that fails), else when it will be. */
  async captured(store: string): Promise<void> {
    const dueMs =
      (this.#pointedAtMs.get(store) ?? Number.NEGATIVE_INFINITY) + this.#options.everyMs;
    const waitMs = dueMs - systemClock.monotonicMs();
    if (waitMs <= 0) return await this.#options.note();
    this.#later ??= this.#noteAfter(waitMs);
  }

  async #noteAfter(waitMs: number): Promise<void> {
    const { signal, onTrouble, note } = this.#options;
    try {
      await sleepMs(waitMs, signal);
    } catch {
      // Aborted: let go.
      return;
    }
    // What is captured from here on may be missed by this point: it waits for the next.
    this.#later = undefined;
    await keepTrying({ signal, onTrouble }, note);
  }
}
