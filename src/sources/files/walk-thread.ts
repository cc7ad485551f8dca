/** Worker thread: walks a folder and sends what it finds in batches; see `walk-elsewhere.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import type { CaptureEvent } from '../source.ts';
import { compileExclusion } from './exclusion.ts';
import { walkBelow } from './walk-folders.ts';
import { BATCHES_AHEAD, type FromWalk, type SentEvent, type WalkOrder } from './walk-messages.ts';

/** So many entries are worth a message. */
const BATCH_ENTRIES = 1024;

const { root, rootDevice, exclude, oneFileSystem } = workerData as WalkOrder;

let batch: SentEvent[] = [];
let memory: ArrayBuffer[] = [];
let entries = 0;
let untaken = 0;
let wake: (() => void) | undefined;

parentPort?.on('message', () => {
  untaken -= 1;
  wake?.();
});

await walk();
post({ kind: 'end' });
parentPort?.close();

async function walk(): Promise<void> {
  const exclusion = compileExclusion(exclude);
  const { signal } = new AbortController();
  const events = walkBelow(Buffer.from(root, 'latin1'), rootDevice, {
    signal,
    exclusion,
    oneFileSystem,
  });
  for await (const event of events) {
    add(event);
    if (entries >= BATCH_ENTRIES) await sendBatch();
  }
  await sendBatch();
}

function add(event: CaptureEvent): void {
  const path = event.path.toString('latin1');
  entries += 1;
  if (event.kind === 'folder') {
    entries += event.entries.length;
    const parts = event.entries.takeApart();
    const { isPlain, isLast } = event;
    batch.push({ kind: 'folder', path, entries: parts, isPlain, isLast });
    memory.push(parts.records);
  } else if (event.kind === 'leave') batch.push({ kind: 'leave', path });
  else if (event.kind === 'problem') batch.push({ kind: 'problem', path, what: event.what });
  else throw new TypeError(`a walk below a folder gave an event of the kind ${event.kind}`);
}

async function sendBatch(): Promise<void> {
  post({ kind: 'events', events: batch }, memory);
  batch = [];
  memory = [];
  entries = 0;
  untaken += 1;
  while (untaken >= BATCHES_AHEAD) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}

function post(message: FromWalk, transferred: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transferred);
}
