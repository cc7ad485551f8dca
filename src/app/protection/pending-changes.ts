/** What a watcher saw since the last capture began, and since when: the measure of what would be lost. */

export type Changes = {
  /** Undefined: anything may have changed. */
  directories: ReadonlySet<string> | undefined;
  /** When the first of them was seen, ms since 1970. */
  sinceMs: number;
};

export class PendingChanges {
  #directories: Set<string> | undefined = new Set();
  #sinceMs: number | undefined;
  #wake: (() => void) | undefined;

  get sinceMs(): number | undefined {
    return this.#sinceMs;
  }

  add(directories: ReadonlySet<string> | undefined, seenAtMs: number): void {
    if (directories === undefined) this.#directories = undefined;
    else for (const one of directories) this.#directories?.add(one);
    this.#sinceMs = Math.min(this.#sinceMs ?? seenAtMs, seenAtMs);
    this.#wake?.();
  }

  /** Hands them over; what comes from now on belongs to the next capture. */
  take(): Changes | undefined {
    if (this.#sinceMs === undefined) return undefined;
    const taken = { directories: this.#directories, sinceMs: this.#sinceMs };
    this.#directories = new Set();
    this.#sinceMs = undefined;
    return taken;
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
