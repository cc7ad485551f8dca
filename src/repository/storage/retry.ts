/** Tries again what may pass when tried again, with growing pauses and jitter, a bounded number of times. */
import { HoldfastError, randomBytes, sleepMs } from '#base';
import { optionalParts } from './optional-parts.ts';
import type { ByteRange, FileHint, Patience, Storage } from './storage.ts';
import type { FileVersions } from './versions.ts';

export type RetryOptions = Patience & { signal?: AbortSignal };

/** A storage whose retryable errors reach the caller only after the last attempt. What isn't said, it says itself. */
export function withRetries(inner: Storage, asked: RetryOptions = {}): Storage {
  const options = { ...inner.patience, ...asked };
  const retrying = <T>(work: () => Promise<T>) => retry(work, options);
  const { removeAll, serverTimeMs, versions, listNames, ...parts } = optionalParts(inner);
  return {
    ...parts,
    ...(removeAll && { removeAll: (names) => retrying(() => removeAll(names)) }),
    ...(listNames && {
      listNames: (prefix) => listRetrying(() => listNames(prefix), options),
    }),
    ...(serverTimeMs && { serverTimeMs: () => retrying(serverTimeMs) }),
    ...(versions && { versions: versionsRetrying(versions, options) }),
    location: inner.location,
    concurrency: inner.concurrency,
    read: (name: string, range?: ByteRange, hint?: FileHint) =>
      retrying(() => inner.read(name, range, hint)),
    write: (name: string, parts: readonly Uint8Array[], hint?: FileHint) =>
      retrying(() => inner.write(name, parts, hint)),
    stat: (name: string) => retrying(() => inner.stat(name)),
    remove: (name: string) => retrying(() => inner.remove(name)),
    list: (prefix: string) => listRetrying(() => inner.list(prefix), options),
    close: () => inner.close(),
  };
}

function versionsRetrying(inner: FileVersions, options: RetryOptions): FileVersions {
  const retrying = <T>(work: () => Promise<T>) => retry(work, options);
  return {
    lock: () => retrying(() => inner.lock()),
    list: (prefix) => listRetrying(() => inner.list(prefix), options),
    read: (version) => retrying(() => inner.read(version)),
    makeCurrent: (version) => retrying(() => inner.makeCurrent(version)),
    lockedUntilMs: (file) => retrying(() => inner.lockedUntilMs(file)),
    extendLock: (file, mode, untilMs) => retrying(() => inner.extendLock(file, mode, untilMs)),
  };
}

/** Also for a part of something longer, such as one page of a list, which can't be repeated as a whole. */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const attempts = options.attempts ?? 6;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const mayPass = error instanceof HoldfastError && error.retryable;
      if (!mayPass || attempt >= attempts || options.signal?.aborted) throw error;
      await sleepMs(pauseMs(attempt, options), options.signal);
    }
  }
}

/** Only up to the first entry: after that the caller has seen something, and repeating it would show it twice. */
async function* listRetrying<T>(
  list: () => AsyncIterable<T>,
  options: RetryOptions,
): AsyncIterable<T> {
  const begun = await retry(async () => {
    const iterator = list()[Symbol.asyncIterator]();
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
function pauseMs(
  attempt: number,
  { firstPauseMs = 200, longestPauseMs = 10_000 }: Patience,
): number {
  const whole = Math.min(firstPauseMs * 2 ** (attempt - 1), longestPauseMs);
  const fraction = (randomBytes(1)[0] as number) / 255;
  return whole * (0.5 + fraction / 2);
}
