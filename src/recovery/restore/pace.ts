/** File system calls are synchronous and short: others get their turn every few milliseconds, and whoever waits is told. */
import { setImmediate } from 'node:timers/promises';
import { systemClock } from '#base';
import type { RestoreReport } from './report.ts';
import type { RestoreRequest } from './request.ts';

const SLICE_MS = 10;
const PROGRESS_EVERY_MS = 100;

export class Pace {
  readonly #request: RestoreRequest;
  readonly #report: RestoreReport;
  #sliceStartMs = systemClock.monotonicMs();
  #progressAtMs = 0;

  constructor(request: RestoreRequest, report: RestoreReport) {
    this.#request = request;
    this.#report = report;
  }

  /** Nothing where it isn't time yet. Rejects with the signal's reason. */
  giveWay(): Promise<void> | undefined {
    const isDue = systemClock.monotonicMs() - this.#sliceStartMs >= SLICE_MS;
    return isDue ? this.#giveWayNow() : undefined;
  }

  async #giveWayNow(): Promise<void> {
    await setImmediate();
    this.#request.signal?.throwIfAborted();
    this.#sliceStartMs = systemClock.monotonicMs();
    this.tell();
  }

  tell(isLast = false): void {
    const { progress, expectedBytes } = this.#request;
    const nowMs = systemClock.monotonicMs();
    if (!progress || (!isLast && nowMs - this.#progressAtMs < PROGRESS_EVERY_MS)) return;
    this.#progressAtMs = nowMs;
    progress({
      step: 'restore',
      doneBytes: this.#report.bytes,
      ...(expectedBytes === undefined ? {} : { totalBytes: expectedBytes }),
      doneItems: this.#report.files,
    });
  }
}
