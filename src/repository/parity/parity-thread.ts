/** The one worker thread for a repository's parity: it keeps up with several that seal. It starts at the first job. */
import { Worker } from 'node:worker_threads';
import type { MendJobAnswer, ParityJob } from './parity-job.ts';

type Waiting = { resolve: (answer: never) => void; reject: (error: unknown) => void };

export class ParityThread {
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #nextNumber = 0;

  /** The sidecar of a pack; undefined where the bytes aren't those of its name. Takes the bytes over. */
  sidecar(packId: string, bytes: ArrayBuffer, overhead: number): Promise<ArrayBuffer | undefined> {
    return this.#run({ kind: 'sidecar', packId, bytes, overhead }, [bytes]);
  }

  /** Takes both over; the bytes of a whole or mended pack come back. */
  mend(packId: string, bytes: ArrayBuffer, sidecar: ArrayBuffer): Promise<MendJobAnswer> {
    return this.#run({ kind: 'mend', packId, bytes, sidecar }, [bytes, sidecar]);
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  /** Rejects where the thread died. */
  #run<Answer>(job: ParityJob, transfer: ArrayBuffer[]): Promise<Answer> {
    this.#worker ??= this.#start();
    const worker = this.#worker;
    const number = this.#nextNumber;
    this.#nextNumber += 1;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      worker.ref();
      worker.postMessage({ number, job }, transfer);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL(import.meta.resolve('#worker/parity/parity-worker')));
    worker.on('message', ({ number, answer }: { number: number; answer: never }) => {
      this.#waiting.get(number)?.resolve(answer);
      this.#waiting.delete(number);
      // While idle it keeps no process alive.
      if (this.#waiting.size === 0) worker.unref();
    });
    const end = (error: unknown) => {
      this.#worker = undefined;
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
    worker.on('error', end);
    worker.on('exit', (code) => end(new Error(`the thread for parity ended with code ${code}`)));
    return worker;
  }
}
