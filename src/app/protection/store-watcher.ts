/** A store that is watched: what changes in it is gathered, captured within its objective, and its quiet noted. */
import { sleepMs, systemClock } from '#base';
import type { CaptureRecord, Repository, StoreAddress } from '#repository';
import type { WatchNews } from '#sources';
import { explained, keepTrying, type Trouble } from './keep-trying.ts';
import { type Changes, gatherMs, PendingChanges } from './pending-changes.ts';
import { QuietWatermark } from './quiet-watermark.ts';

export type StoreWatcherOptions = {
  repository: Repository;
  address: StoreAddress;
  rpoMs: number;
  /** Its first word is to look at everything: what happened while nobody watched isn't known. */
  watch(): AsyncIterable<WatchNews>;
  /**
   * In the store's turn: takes what is to be captured and captures it. `take` may give nothing, then nothing is
   * captured.
   */
  capture(take: () => Changes | undefined): Promise<void>;
  newest(): CaptureRecord | undefined;
  onCaptureTrouble(trouble: Trouble | undefined): void;
  signal: AbortSignal;
};

export class StoreWatcher {
  readonly #options: StoreWatcherOptions;
  readonly #changes = new PendingChanges();
  readonly #watermark: QuietWatermark;
  /** Since when changes of the capture under way weren't captured. */
  #takenSinceMs: number | undefined;
  #trouble: Trouble | undefined;

  constructor(options: StoreWatcherOptions) {
    this.#options = options;
    this.#watermark = new QuietWatermark(options.repository, options.address);
  }

  get trouble(): Trouble | undefined {
    return this.#trouble;
  }
  /** Until when the newest capture is known to be what is there; undefined: not known. */
  get unchangedThroughMs(): number | undefined {
    return this.#takenSinceMs === undefined ? this.#changes.unchangedThroughMs : undefined;
  }
  /** Since when there are changes that no finished capture holds; undefined: none are known of. */
  get changedSinceMs(): number | undefined {
    return this.#takenSinceMs ?? this.#changes.sinceMs;
  }

  /** Resolves when aborted. */
  async run(): Promise<void> {
    await Promise.all([this.#watch(), this.#captureChanges()]);
  }

  /** For a stop: what nobody changed until now can be recovered to now, also when nobody watches any more. */
  async noteQuiet(): Promise<void> {
    const untilMs = this.#options.newest() && this.unchangedThroughMs;
    if (untilMs !== undefined) await this.#watermark.note(untilMs);
  }

  async #watch(): Promise<void> {
    const { signal, watch } = this.#options;
    const onTrouble = (trouble: Trouble | undefined) => {
      this.#trouble = trouble;
    };
    await keepTrying({ signal, onTrouble }, async (wentWell) => {
      for await (const changed of watch()) {
        wentWell();
        this.#changes.add(changed, systemClock.nowMs());
        await this.#noteQuietIfDue();
      }
      signal.throwIfAborted();
    });
  }

  async #captureChanges(): Promise<void> {
    const { signal, rpoMs, onCaptureTrouble } = this.#options;
    const pauseMs = gatherMs(rpoMs);
    let lastMs = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      await keepTrying({ signal, onTrouble: onCaptureTrouble }, async () => {
        await this.#changes.any(signal);
        await sleepMs(Math.max(0, lastMs + pauseMs - systemClock.monotonicMs()), signal);
        lastMs = systemClock.monotonicMs();
        await this.#captureTaken();
      });
    }
  }

  async #captureTaken(): Promise<void> {
    let taken: Changes | undefined;
    try {
      await this.#options.capture(() => {
        taken = this.#changes.take();
        this.#takenSinceMs = taken?.sinceMs;
        return taken;
      });
    } catch (error) {
      if (taken) this.#changes.giveBack(taken);
      throw error;
    } finally {
      this.#takenSinceMs = undefined;
    }
  }

  /** Tried again with the next word of the watcher, which must go on meanwhile. */
  async #noteQuietIfDue(): Promise<void> {
    const { newest, onCaptureTrouble } = this.#options;
    const capture = newest();
    const untilMs = this.unchangedThroughMs;
    if (!capture || untilMs === undefined || this.changedSinceMs !== undefined) return;
    try {
      await this.#watermark.noteIfDue(untilMs, capture.startedAtMs);
    } catch (error) {
      onCaptureTrouble({ ...explained(error), sinceMs: systemClock.nowMs() });
    }
  }
}
