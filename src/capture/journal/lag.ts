/** How long bytes wait from their arrival until they are in the repository. */
import { type Clock, systemClock } from '#base';

/** Arrivals closer together than this are one; the more wait, the coarser, so that an outage of days stays small. */
const FINE_MS = 5;
const COARSE_MS = 1000;
const FINE_ARRIVALS = 1024;
/** Percentiles are of so many arrivals. */
const KEPT_SPANS = 4096;

export type LagFigures = {
  /** Age of the oldest byte that isn't in the repository yet; 0 where there is none. */
  lagMs: number;
  /** Of the last few thousand arrivals; undefined before the first. */
  p50Ms: number | undefined;
  p99Ms: number | undefined;
};

type Arrival = { line: number; end: bigint; atMs: number };

export class Lag {
  readonly #clock: Clock;
  #waiting: Arrival[] = [];
  readonly #spansMs = new Float64Array(KEPT_SPANS);
  #spans = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  arrived(line: number, end: bigint): void {
    const atMs = this.#clock.monotonicMs();
    const last = this.#waiting.at(-1);
    const grainMs = this.#waiting.length < FINE_ARRIVALS ? FINE_MS : COARSE_MS;
    // The earlier time counts for both: lag is never shown smaller than it is.
    if (last && last.line === line && last.end <= end && atMs - last.atMs < grainMs) last.end = end;
    else this.#waiting.push({ line, end, atMs });
  }

  /** Everything before this place is in the repository. */
  reached(line: number, offset: bigint): void {
    const nowMs = this.#clock.monotonicMs();
    let done = 0;
    for (; done < this.#waiting.length; done += 1) {
      const { line: itsLine, end, atMs } = this.#waiting[done] as Arrival;
      if (itsLine > line || (itsLine === line && end > offset)) break;
      this.#spansMs[this.#spans % KEPT_SPANS] = nowMs - atMs;
      this.#spans += 1;
    }
    if (done > 0) this.#waiting = this.#waiting.slice(done);
  }

  /** The stream begins anew: what was waited for was given up. */
  forget(): void {
    this.#waiting = [];
  }

  /** Age of the oldest byte that isn't in the repository yet; 0 where there is none. */
  oldestMs(): number {
    const oldest = this.#waiting[0];
    return oldest ? this.#clock.monotonicMs() - oldest.atMs : 0;
  }

  figures(): LagFigures {
    const sorted = this.#spansMs.slice(0, Math.min(this.#spans, KEPT_SPANS)).sort();
    const at = (share: number) =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
    return {
      lagMs: this.oldestMs(),
      p50Ms: at(0.5),
      p99Ms: at(0.99),
    };
  }
}
