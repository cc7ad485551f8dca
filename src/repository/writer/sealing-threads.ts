import v8 from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { RepositorySecrets, ToWorker } from './messages.ts';

/** Starting a thread takes longer than sealing a few MiB; one that waits takes some MiB of memory. */
const IDLE_MS = 20_000;

/**
 * Room for young objects, in MiB: nearly all that a worker makes dies at once, and little of it is made. A limit
 * of the thread's own counts for nothing where the process was started with such flags; these count from now on.
 */
const YOUNG_FLAGS = ['--min-semi-space-size=2', '--max-semi-space-size=2'];

type Idle = { worker: Worker; timer: NodeJS.Timeout; forget: () => void };

/**
 * The worker threads of one repository: lent to one session of writing, then kept for the next one for some seconds.
 * Those that wait keep no process alive. They may be prepared before the repository is open: their code is loaded while
 * its key is derived.
 */
export class SealingThreads {
  readonly #idle: Idle[] = [];
  #secrets: RepositorySecrets | undefined;
  #closed = false;

  /** Once, when they are known; before the first is lent. */
  unlock(secrets: RepositorySecrets): void {
    this.#secrets = secrets;
    for (const { worker } of this.#idle) handOver(worker, secrets);
  }

  /** One that waits, or a new one. The borrower listens to its `error` and `exit`. */
  lend(): Worker {
    if (!this.#secrets) throw new TypeError('a thread was asked for before there was a key');
    const idle = this.#idle.pop();
    if (!idle) return this.#start();
    idle.forget();
    idle.worker.ref();
    return idle.worker;
  }

  /** Has so many wait: for who will soon have much for them, and waits for something else until then. */
  prepare(count: number): void {
    for (let ready = this.#idle.length; ready < count && !this.#closed; ready += 1) {
      void this.giveBack(this.#start());
    }
  }

  /** Only where its last job is done; the borrower has taken its listeners away. */
  async giveBack(worker: Worker): Promise<void> {
    if (this.#closed) {
      await worker.terminate();
      return;
    }
    worker.unref();
    const leave = () => {
      idle.forget();
      this.#idle.splice(this.#idle.indexOf(idle), 1);
    };
    const expire = () => {
      leave();
      void worker.terminate();
    };
    const timer = setTimeout(expire, IDLE_MS).unref();
    const forget = () => {
      clearTimeout(timer);
      worker.off('error', leave).off('exit', leave);
    };
    const idle: Idle = { worker, timer, forget };
    worker.once('error', leave).once('exit', leave);
    this.#idle.push(idle);
  }

  #start(): Worker {
    const url = new URL(import.meta.resolve('#worker/writer/sealing-worker'));
    for (const flag of YOUNG_FLAGS) v8.setFlagsFromString(flag);
    const worker = new Worker(url);
    // One that is being stopped may break before it ends, when nobody minds any more.
    worker.on('error', () => {});
    if (this.#secrets) handOver(worker, this.#secrets);
    return worker;
  }

  /** Ends those that wait, now and later. */
  async close(): Promise<void> {
    this.#closed = true;
    const idle = this.#idle.splice(0);
    await Promise.all(
      idle.map(({ worker, forget }) => {
        forget();
        return worker.terminate();
      }),
    );
  }
}

function handOver(worker: Worker, secrets: RepositorySecrets): void {
  const message: ToWorker = { kind: 'unlock', secrets };
  worker.postMessage(message);
}
