/** Threads of a `DecodePool`. They may start before there is a key: their code is loaded while it is derived. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

const MAX_THREADS = 4;

export const DECODE_THREADS = Math.min(availableParallelism(), MAX_THREADS);

/** Nearly all that a worker makes is short-lived: room for more only lets it lie longer. */
const HEAP = { maxYoungGenerationSizeMb: 8 };

/** It waits for a key (`ToDecodeWorker`), and keeps no process alive. */
function startThread(): Worker {
  const url = new URL(import.meta.resolve('#worker/blobs/decode-worker'));
  const worker = new Worker(url, {
    resourceLimits: HEAP,
    // It opens files by a call that Node doesn't know, and closes them.
    trackUnmanagedFds: false,
  });
  worker.unref();
  return worker;
}

export class DecodeThreads {
  readonly #ready: Worker[] = [];

  /** For who will soon have much for all of them. */
  start(): void {
    for (let started = this.#ready.length; started < DECODE_THREADS; started += 1) {
      const worker = startThread();
      const leave = () => {
        const place = this.#ready.indexOf(worker);
        if (place >= 0) this.#ready.splice(place, 1);
      };
      // Whoever needs one that broke gets another.
      worker.once('error', leave).once('exit', leave);
      this.#ready.push(worker);
    }
  }

  get isReady(): boolean {
    return this.#ready.length > 0;
  }

  /** One that is ready, or a new one. */
  take(): Worker {
    return this.#ready.pop() ?? startThread();
  }

  /** Ends those that nobody took. */
  async close(): Promise<void> {
    await Promise.all(this.#ready.splice(0).map((worker) => worker.terminate()));
  }
}
