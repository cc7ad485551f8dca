import type { LiveEnd } from '../../source.ts';

/** Files that were given to be read and aren't yet. */
export class Outstanding {
  #count = 0;
  #failure: { error: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** Answers what is to be called when its reading has ended; `read` is called first where it came to a good end. */
  add(read: (wrong: readonly number[]) => void): (end: LiveEnd) => void {
    this.#count += 1;
    return (end) => {
      this.#count -= 1;
      if (end.kind === 'read') read(end.wrong);
      else if (end.kind === 'failed') this.#failure ??= { error: end.error };
      this.#wake?.();
    };
  }

  /** Resolves when all were read. Rejects with the first failure, or the signal's reason. */
  async ended(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#wake?.();
    signal.addEventListener('abort', onAbort);
    try {
      for (;;) {
        signal.throwIfAborted();
        if (this.#failure) throw this.#failure.error;
        if (this.#count === 0) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
