/** Work that must go on whatever happens: tried again with growing pauses, its trouble shown meanwhile. */
import { isHoldfastError, messageOf, sleepMs, systemClock } from '#base';

export type Trouble = { what: string; mend: string | undefined; sinceMs: number };

export type KeepTryingOptions = {
  signal: AbortSignal;
  firstPauseMs?: number;
  longestPauseMs?: number;
  /** Undefined: it goes on well again. */
  onTrouble(trouble: Trouble | undefined): void;
};

/**
 * Calls `work` until it resolves. It may call `wentWell` when it has got somewhere: pauses are short again after that.
 * Resolves to undefined when aborted.
 */
export async function keepTrying<T>(
  options: KeepTryingOptions,
  work: (wentWell: () => void) => Promise<T>,
): Promise<T | undefined> {
  const { signal, firstPauseMs = 1_000, longestPauseMs = 60_000 } = options;
  let pauseMs = firstPauseMs;
  let sinceMs: number | undefined;
  const wentWell = () => {
    pauseMs = firstPauseMs;
    sinceMs = undefined;
    options.onTrouble(undefined);
  };
  while (!signal.aborted) {
    try {
      const result = await work(wentWell);
      wentWell();
      return result;
    } catch (error) {
      if (signal.aborted) return undefined;
      sinceMs ??= systemClock.nowMs();
      options.onTrouble({ ...explained(error), sinceMs });
    }
    await sleepMs(pauseMs, signal).catch(() => {
      // The loop ends by the signal itself.
    });
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
  return undefined;
}

export function explained(error: unknown): { what: string; mend: string | undefined } {
  const mend = isHoldfastError(error) ? error.guidance : undefined;
  return { what: messageOf(error), mend: mend === '' ? undefined : mend };
}
