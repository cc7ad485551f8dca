/** Which parts of our own code ran, and how often, as V8 counts it: the feedback of the fuzzer. */
import { type Profiler, Session } from 'node:inspector';

export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<string>();

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Different places, each with the magnitude of how often it ran at once. */
  get seen(): number {
    return this.#seen.size;
  }

  /** What ran since the last call is left out of account. */
  skip(): void {
    this.#take();
  }

  /** How much of what ran since the last call never ran before, or never so often. With `keep`, it has from now on. */
  fresh(keep: boolean): number {
    let count = 0;
    for (const place of this.#take()) {
      if (this.#seen.has(place)) continue;
      count += 1;
      if (keep) this.#seen.add(place);
    }
    return count;
  }

  close(): void {
    this.#session.disconnect();
  }

  #take(): string[] {
    const places: string[] = [];
    // In the same thread the answer is there when the call returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error) throw error;
      for (const script of answer.result) collect(script, places);
    });
    return places;
  }
}

function collect({ url, functions }: Profiler.ScriptCoverage, places: string[]): void {
  const file = /\/src\/.*$/.exec(url)?.[0];
  if (file === undefined || url.includes('/node_modules/')) return;
  for (const { ranges } of functions) {
    for (const { startOffset, endOffset, count } of ranges) {
      // Ten rounds of a loop are something else than one, eleven are not something else than ten.
      if (count > 0) places.push(`${file}:${startOffset}:${endOffset}:${Math.clz32(count)}`);
    }
  }
}
