/** A walk in a thread of its own: the one that asks has other work to do meanwhile. */
import { on } from 'node:events';
import { Worker } from 'node:worker_threads';
import { EntryTable, readMetadata } from '#base';
import type { CaptureEvent } from '../source.ts';
import { entryEvent, toBytes } from './walk.ts';
import type { FromWalk, SentEvent, WalkOrder } from './walk-messages.ts';

export type WalkElsewhereOptions = {
  signal: AbortSignal;
  /** In the syntax of .gitignore. */
  exclude?: readonly string[];
  oneFileSystem?: boolean;
};

/**
 * Events as `walkFolders` gives them, and errors. The thread ends with the walk, or when nobody takes its events any
 * more.
 */
export async function* walkElsewhere(
  root: Buffer,
  { signal, exclude = [], oneFileSystem = false }: WalkElsewhereOptions,
): AsyncGenerator<CaptureEvent> {
  signal.throwIfAborted();
  const metadata = readMetadata(root);
  yield entryEvent(root, '', metadata);
  if (metadata.kind !== 'dir') return;
  const order = { root: root.toString('latin1'), rootDevice: metadata.deviceId };
  yield* walkInThread({ ...order, exclude: [...exclude], oneFileSystem }, signal);
}

async function* walkInThread(order: WalkOrder, signal: AbortSignal): AsyncGenerator<CaptureEvent> {
  const url = new URL('./walk-thread.ts', import.meta.url);
  const worker = new Worker(url, { workerData: order });
  try {
    for await (const [message] of on(worker, 'message', { signal, close: ['exit'] })) {
      const told = message as FromWalk;
      if (told.kind === 'end') return;
      for (const event of told.events) yield receivedEvent(event);
      worker.postMessage('taken');
    }
    throw new Error('the thread that walks ended before its walk');
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    await worker.terminate();
  }
}

function receivedEvent(sent: SentEvent): CaptureEvent {
  const path = toBytes(sent.path);
  return sent.kind === 'folder'
    ? { ...sent, path, entries: EntryTable.of(sent.entries) }
    : { ...sent, path };
}
