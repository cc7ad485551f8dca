export type ReadAhead<T> = AsyncIterable<T> & {
  /** Lets the source end, where nobody is going to take what it gives. May be called at any time. */
  stop: () => void;
};

/**
 * Takes from a source before anybody asks, within a bound, and gives it out in order. It begins at once. What the source
 * throws is thrown where it would have come.
 */
export function readAhead<T>(
  source: AsyncIterable<T>,
  weightOf: (item: T) => number,
  maxWeight: number,
): ReadAhead<T> {
  /** What was taken stands in it no more, until all of it is. */
  const waiting: (T | undefined)[] = [];
  let weight = 0;
  let ended: { error?: unknown } | undefined;
  let stopped = false;
  let wakeReader: (() => void) | undefined;
  let wakeTaker: (() => void) | undefined;

  async function read(): Promise<void> {
    try {
      for await (const item of source) {
        waiting.push(item);
        weight += weightOf(item);
        wakeTaker?.();
        while (weight >= maxWeight && !stopped) {
          await new Promise<void>((resolve) => {
            wakeReader = resolve;
          });
        }
        if (stopped) return;
      }
      ended = {};
    } catch (error) {
      ended = { error };
    } finally {
      wakeTaker?.();
    }
  }

  async function* give(): AsyncGenerator<T> {
    try {
      for (let taken = 0; ; ) {
        const item = waiting[taken];
        if (item !== undefined) {
          waiting[taken] = undefined;
          taken += 1;
          weight -= weightOf(item);
          if (taken === waiting.length) {
            waiting.length = 0;
            taken = 0;
          }
          wakeReader?.();
          yield item;
        } else if (ended) {
          if ('error' in ended) throw ended.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            wakeTaker = resolve;
          });
        }
      }
    } finally {
      stop();
    }
  }

  function stop(): void {
    stopped = true;
    wakeReader?.();
  }

  void read();
  return Object.assign(give(), { stop });
}
