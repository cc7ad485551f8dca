import type {
  Capture,
  CaptureEvent,
  CaptureOptions,
  Source,
  SourceContext,
  StoreSettings,
} from '#sources';

export type BegunCapture = {
  capture: Capture;
  /** Of the capture; the first was asked for already. */
  events: AsyncIterable<CaptureEvent>;
};

/**
 * Opens a capture and asks for its first event at once: a database needs a moment, or a checkpoint, before it sends
 * anything. What fails there is thrown where the first event is taken.
 */
export async function beginCapture<Own>(
  source: Source<Own>,
  store: StoreSettings<Own>,
  options: CaptureOptions,
  context: SourceContext,
): Promise<BegunCapture> {
  const capture = await source.capture(store, options, context);
  const events = capture.events()[Symbol.asyncIterator]();
  const first = events.next();
  // Told to whoever takes it; where nobody does, something else failed before.
  first.catch(() => {});
  return { capture, events: joined(first, events) };
}

async function* joined<T>(
  first: Promise<IteratorResult<T>>,
  rest: AsyncIterator<T>,
): AsyncGenerator<T> {
  let isEnded = false;
  try {
    for (let next = await first; !next.done; next = await rest.next()) yield next.value;
    isEnded = true;
  } finally {
    if (!isEnded) await rest.return?.();
  }
}
