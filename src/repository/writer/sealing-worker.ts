/** Worker thread: runs one job after another, of one session after another; see `messages.ts`. */
import { parentPort } from 'node:worker_threads';
import type { FinishedPack, FromWorker, JobResult, SessionSetup, ToWorker } from './messages.ts';
import { SealingJobs } from './sealing-jobs.ts';

let jobs: SealingJobs | undefined;

parentPort?.on('message', (message: ToWorker) => {
  if (message.kind === 'unlock') jobs = new SealingJobs(message.secrets);
  else if (!jobs) throw new TypeError('a job came before there was a key');
  else if (message.kind === 'begin') jobs.begin(message.session, packSender(message.session));
  else {
    const result = jobs.run(message);
    send({ kind: 'done', result }, buffersOf(result));
  }
});

/** Waits, blocking this thread, while too many packs are on their way to the storage. */
function packSender(session: SessionSetup): (pack: FinishedPack) => void {
  const packsInFlight = new Int32Array(session.packsInFlight);
  return (pack) => {
    for (;;) {
      const inFlight = Atomics.load(packsInFlight, 0);
      if (inFlight >= session.maxPacksInFlight) {
        Atomics.wait(packsInFlight, 0, inFlight);
      } else if (Atomics.compareExchange(packsInFlight, 0, inFlight, inFlight + 1) === inFlight) {
        break;
      }
    }
    send({ kind: 'pack', pack }, notShared(pack.parts));
  };
}

function buffersOf(result: JobResult): ArrayBuffer[] {
  switch (result.kind) {
    case 'files':
      return [result.ids.buffer as ArrayBuffer, result.numbers.buffer as ArrayBuffer];
    case 'blobs':
      return [result.ids.buffer as ArrayBuffer];
    case 'range':
      return [result.ids.buffer as ArrayBuffer];
    case 'range-failed':
      return [];
    case 'live':
      return result.parts.flatMap((part) =>
        typeof part === 'object' && 'ids' in part ? [part.ids.buffer as ArrayBuffer] : [],
      );
    case 'drain':
      return notShared(result.packs.flatMap(({ parts }) => parts));
  }
}

function notShared(views: readonly Uint8Array[]): ArrayBuffer[] {
  return views.map(({ buffer }) => buffer).filter((buffer) => buffer instanceof ArrayBuffer);
}

function send(message: FromWorker, transfer: ArrayBuffer[]): void {
  parentPort?.postMessage(message, transfer);
}
