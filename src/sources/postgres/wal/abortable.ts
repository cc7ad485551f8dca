/** Awaits a promise, but no longer than until the signal aborts; then rejects with its reason. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** The same for what must be closed where it opens too late. */
export async function openedUntilAborted<T extends { close(): Promise<void> }>(
  opening: Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  try {
    return await untilAborted(opening, signal);
  } catch (error) {
    opening.then(
      (late) => late.close(),
      () => {
        // It never opened; the reason to give up is in `error`.
      },
    );
    throw error;
  }
}
