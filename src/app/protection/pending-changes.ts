/** What a watcher saw since the last capture began, and since when: the measure of what would be lost. */
import type { WatchNews } from '#sources';

export type Changes = {
  /** Undefined: anything may have changed. */
  directories: ReadonlySet<string> | undefined;
  /** When the first of them was told, ms since 1970. */
  sinceMs: number;
  /** Every change made before this instant is among them, or was captured before. */
  throughMs: number;
  /** Until here nothing had changed since the capture before; undefined where nobody watched all the time. */
  unchangedThroughMs: number | undefined;
};

const GATHER_AT_LEAST_MS = 200;
const GATHER_AT_MOST_MS = 5_000;

/** The least time between two captures of a watched store: half of what may be lost, the rest is for the capture. */
export function gatherMs(rpoMs: number): number {
  return Math.min(GATHER_AT_MOST_MS, Math.max(GATHER_AT_LEAST_MS, rpoMs / 2));
}

export class PendingChanges {
  #directories: Set<string> | undefined = new Set();
  #sinceMs: number | undefined;
  #throughMs: number | undefined;
  #unchangedThroughMs: number | undefined;
  #wake: (() => void) | undefined;

  get sinceMs(): number | undefined {
    return this.#sinceMs;
  }

  /** Until here nothing has changed but what was taken; undefined where that isn't known. */
  get unchangedThroughMs(): number | undefined {
    return this.#sinceMs === undefined ? this.#throughMs : this.#unchangedThroughMs;
  }

  add({ directories, throughMs }: WatchNews, toldAtMs: number): void {
    const before = this.#throughMs;
    this.#throughMs = throughMs;
    if (directories?.size === 0) return;
    // "Anything may have changed" is said where changes were missed: then the time before is unknown, too.
    if (this.#sinceMs === undefined) this.#unchangedThroughMs = directories && before;
    else if (directories === undefined) this.#unchangedThroughMs = undefined;
    this.#note(directories, toldAtMs);
  }

  /** What a capture took and couldn't keep. */
  giveBack(taken: Changes): void {
    this.#unchangedThroughMs = taken.unchangedThroughMs;
    this.#note(taken.directories, taken.sinceMs);
  }

  /** Hands them over; what comes from now on belongs to the next capture. */
  take(): Changes | undefined {
    if (this.#sinceMs === undefined || this.#throughMs === undefined) return undefined;
    const taken = {
      directories: this.#directories,
      sinceMs: this.#sinceMs,
      throughMs: this.#throughMs,
      unchangedThroughMs: this.#unchangedThroughMs,
    };
    this.#directories = new Set();
    this.#sinceMs = undefined;
    return taken;
  }

  #note(directories: ReadonlySet<string> | undefined, atMs: number): void {
    if (directories === undefined) this.#directories = undefined;
    else for (const one of directories) this.#directories?.add(one);
    this.#sinceMs = Math.min(this.#sinceMs ?? atMs, atMs);
    this.#wake?.();
  }

  /** Resolves when there is something to take. Rejects with the signal's reason. */
  any(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (this.#sinceMs !== undefined) return resolve();
      const onAbort = () => {
        this.#wake = undefined;
        reject(signal.reason);
      };
      this.#wake = () => {
        this.#wake = undefined;
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}

/** What a capture of watched changes is told, and what it says of time (see WatchedFacts of `#recovery`). */
export function watchedOptions({ directories, throughMs, unchangedThroughMs }: Changes) {
  if (directories === undefined) return {};
  const known = unchangedThroughMs === undefined ? {} : { unchangedThroughMs };
  return { changedDirectories: directories, facts: { asOfMs: throughMs, ...known } };
}
