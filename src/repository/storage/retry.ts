/** Tries again what may pass when tried again, with growing pauses and jitter, a bounded number of times. */
import { HoldfastError, randomBytes, sleepMs } from '#base';
import type { ByteRange, Storage, StoredFile } from './storage.ts';

export type RetryOptions = {
  /** Tries in all. Default 6: about 6 s of pauses at most. */
  attempts?: number;
  /** Longest first pause; doubles each time. */
  firstPauseMs?: number;
  signal?: AbortSignal;
};

/** A storage whose retryable errors reach the caller only after the last attempt. */
export function withRetries(inner: Storage, options: RetryOptions = {}): Storage {
  const retrying = <T>(work: () => Promise<T>) => retry(work, options);
  return {
    location: inner.location,
    concurrency: inner.concurrency,
    read: (name: string, range?: ByteRange) => retrying(() => inner.read(name, range)),
    write: (name: string, parts: readonly Uint8Array[]) => retrying(() => inner.write(name, parts)),
    stat: (name: string) => retrying(() => inner.stat(name)),
    remove: (name: string) => retrying(() => inner.remove(name)),
    list: (prefix: string) => listRetrying(inner, prefix, options),
    ...(inner.removeLeftovers && { removeLeftovers: inner.removeLeftovers.bind(inner) }),
    close: () => inner.close(),
  };
}

async function retry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const attempts = options.attempts ?? 6;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const mayPass = error instanceof HoldfastError && error.retryable;
      if (!mayPass || attempt >= attempts || options.signal?.aborted) throw error;
      await sleepMs(pauseMs(attempt, options.firstPauseMs ?? 200), options.signal);
    }
  }
}

/** Only up to the first entry: after that the caller has seen something, and repeating it would show it twice. */
async function* listRetrying(
  inner: Storage,
  prefix: string,
  options: RetryOptions,
): AsyncIterable<StoredFile> {
  const begun = await retry(async () => {
    const iterator = inner.list(prefix)[Symbol.asyncIterator]();
    return { iterator, first: await iterator.next() };
  }, options);
  if (begun.first.done) return;
  try {
    yield begun.first.value;
    for (;;) {
      const next = await begun.iterator.next();
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await begun.iterator.return?.();
  }
}

/** Between a half and the whole of the doubled pause, so that many clients don't come back at once. */
function pauseMs(attempt: number, firstPauseMs: number): number {
  const whole = firstPauseMs * 2 ** (attempt - 1);
  const fraction = (randomBytes(1)[0] as number) / 255;
  return whole * (0.5 + fraction / 2);
}
