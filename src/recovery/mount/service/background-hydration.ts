/** Brings the rest of one mount here while everything goes on, at a bounded rate, until it is paused or done. */
import { HoldfastError, messageOf, sleepMs, systemClock } from '#base';
import type { HydrationProgress, MountedFolder } from '../lazy/mount-folder.ts';

/** What is spared in a pause of this is spent at once afterwards, and no more. */
const BURST_MS = 500;
const LOOK_EVERY_MS = 200;

export type HydrationShown = {
  state: 'running' | 'paused' | 'done' | 'failed';
  /** At most so much is written in a second; absent: as fast as it goes. */
  bytesPerSecond?: number;
  /** Until all is here, at the pace of this run so far; absent where that isn't known yet. */
  remainingMs?: number;
  /** Why it failed, in words; it goes on when it is asked to. */
  failure?: string;
};

export class BackgroundHydration {
  readonly #mounted: Pick<MountedFolder, 'hydrate'>;
  #state: HydrationShown['state'] = 'paused';
  #bytesPerSecond: number | undefined;
  #failure: string | undefined;
  #stop = new AbortController();
  #work: Promise<void> = Promise.resolve();
  #beganMs = 0;
  #writtenBytes = 0;
  #owedBytes = 0;
  #paidMs = 0;

  constructor(mounted: Pick<MountedFolder, 'hydrate'>) {
    this.#mounted = mounted;
  }

  /** Begins, goes on, or changes the rate of what is under way. */
  run(bytesPerSecond: number | undefined): void {
    this.#payOff();
    this.#bytesPerSecond = bytesPerSecond;
    if (this.#state === 'running' || this.#state === 'done') return;
    this.#state = 'running';
    this.#failure = undefined;
    this.#stop = new AbortController();
    this.#beganMs = systemClock.monotonicMs();
    this.#owedBytes = 0;
    this.#writtenBytes = 0;
    const before = this.#work;
    const { signal } = this.#stop;
    this.#work = before.then(() => this.#bring(signal));
  }

  /** Resolves when nothing is on its way any more. */
  async pause(): Promise<void> {
    if (this.#state === 'running') this.#state = 'paused';
    this.#stop.abort(new Error('it was paused'));
    await this.#work;
  }

  shown({ doneBytes, totalBytes }: HydrationProgress): HydrationShown {
    const tookMs = systemClock.monotonicMs() - this.#beganMs;
    const isKnown = this.#state === 'running' && this.#writtenBytes > 0;
    const remainingMs = ((totalBytes - doneBytes) / this.#writtenBytes) * tookMs;
    return {
      state: this.#state,
      ...(this.#bytesPerSecond === undefined ? {} : { bytesPerSecond: this.#bytesPerSecond }),
      ...(isKnown ? { remainingMs: Math.round(remainingMs) } : {}),
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
    };
  }

  async #bring(signal: AbortSignal): Promise<void> {
    try {
      await this.#mounted.hydrate(signal, undefined, (bytes) => this.#pace(bytes, signal));
      this.#state = 'done';
    } catch (error) {
      if (signal.aborted) return;
      this.#state = 'failed';
      this.#failure = error instanceof HoldfastError ? error.message : messageOf(error);
    }
  }

  /** Waits until as much may be written again; looks now and then, for the rate may be changed meanwhile. */
  async #pace(bytes: number, signal: AbortSignal): Promise<void> {
    this.#writtenBytes += bytes;
    this.#owedBytes += bytes;
    for (;;) {
      this.#payOff();
      const rate = this.#bytesPerSecond;
      if (rate === undefined || this.#owedBytes <= 0) return;
      await sleepMs(Math.min(LOOK_EVERY_MS, (this.#owedBytes / rate) * 1000), signal);
    }
  }

  /** What is spared while nothing was written counts only for a moment. */
  #payOff(): void {
    const nowMs = systemClock.monotonicMs();
    const rate = this.#bytesPerSecond ?? Number.POSITIVE_INFINITY;
    const paidBytes = (rate * Math.max(1, nowMs - this.#paidMs)) / 1000;
    this.#owedBytes = Math.max((-rate * BURST_MS) / 1000, this.#owedBytes - paidBytes);
    if (rate === Number.POSITIVE_INFINITY) this.#owedBytes = 0;
    this.#paidMs = nowMs;
  }
}
