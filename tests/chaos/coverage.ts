/** Which parts of our own code ran, and how often, as V8 counts it: the feedback of the fuzzer. */
import { type Profiler, Session } from 'node:inspector';

/** How often something ran, by its number of binary digits: eleven rounds of a loop are not something else than ten. */
type Magnitudes = number;

type CountedRange = Profiler.CoverageRange;

export class Coverage {
  readonly #session = new Session();
  /** By function and place in its text. */
  readonly #seen = new Map<string, Map<number, Magnitudes>>();
  #seenCount = 0;

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Different places, each with the magnitude of how often it ran at once. */
  get seen(): number {
    return this.#seenCount;
  }

  /** What ran since the last call is left out of account. */
  skip(): void {
    this.#take(() => {});
  }

  /** Something ran since the last call that never did before. How often isn't asked: it may have been several inputs. */
  ranNewCode(): boolean {
    let isNew = false;
    this.#take((places, place) => {
      isNew ||= places.get(place) === 0;
    });
    return isNew;
  }

  /** How much of what ran since the last call never ran before, or never so often. From now on it has. */
  add(): number {
    const before = this.#seenCount;
    this.#take((places, place, count) => {
      const magnitudes = places.get(place) ?? 0;
      const magnitude = 1 << (32 - Math.clz32(count));
      if ((magnitudes & magnitude) !== 0) return;
      places.set(place, magnitudes | magnitude);
      this.#seenCount += 1;
    });
    return this.#seenCount - before;
  }

  close(): void {
    this.#session.disconnect();
  }

  #take(onPlace: (places: Map<number, Magnitudes>, place: number, count: number) => void): void {
    // In the same thread the answer is there when the call returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error) throw error;
      for (const { url, functions } of answer.result) {
        const file = ownFileOf(url);
        if (file === undefined) continue;
        for (const { ranges } of functions) {
          const [whole] = ranges;
          if (!whole || whole.count === 0) continue;
          const places = this.#placesOf(`${file}:${whole.startOffset}`, ranges);
          for (const place of places.keys()) {
            const count = countAt(ranges, place);
            if (count > 0) onPlace(places, place, count);
          }
        }
      }
    });
  }

  /**
   * V8 tells of a block only where it ran less or more often than what it lies in. So each boundary that it ever told is
   * a place, and how often that ran is looked up in what it tells each time.
   */
  #placesOf(key: string, ranges: readonly CountedRange[]): Map<number, Magnitudes> {
    const known = this.#seen.get(key);
    const places = known ?? new Map<number, Magnitudes>();
    if (!known) this.#seen.set(key, places);
    for (const { startOffset, endOffset } of ranges) {
      if (!places.has(startOffset)) places.set(startOffset, 0);
      if (!places.has(endOffset)) places.set(endOffset, 0);
    }
    return places;
  }
}

/** Within `/src/` of this project. */
function ownFileOf(url: string): string | undefined {
  return url.includes('/node_modules/') ? undefined : /\/src\/.*$/.exec(url)?.[0];
}

/** Ranges are told from the outside in: the last that holds the place is the innermost. */
function countAt(ranges: readonly CountedRange[], place: number): number {
  let innermost = 0;
  for (const { startOffset, endOffset, count } of ranges) {
    if (startOffset <= place && place < endOffset) innermost = count;
  }
  return innermost;
}
