/** The only sources of time and randomness, so that tests can hold them still and name their seed. */
import { randomBytes as cryptoRandomBytes, randomInt } from 'node:crypto';

export interface Clock {
  /** Wall-clock milliseconds since 1970, UTC. */
  nowMs(): number;
  /** Monotonic milliseconds, for measuring spans. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

export function randomBytes(length: number): Buffer {
  return cryptoRandomBytes(length);
}

/** A whole number from 0 to below the limit (1 to 2^48 - 1), each as likely as any other. */
export function randomBelow(limit: number): number {
  return randomInt(limit);
}

/** Being told to stop is the other way for this wait to end: it never rejects. */
export async function pauseMs(durationMs: number, signal: AbortSignal): Promise<void> {
  await sleepMs(durationMs, signal).catch(() => {});
}

/** Rejects with the signal's reason when aborted. */
export function sleepMs(durationMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, durationMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
