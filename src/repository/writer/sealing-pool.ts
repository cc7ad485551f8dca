import type { Worker } from 'node:worker_threads';
import { messageOf } from '#base';
import { errors } from '../errors.ts';
import { memoryForPacks } from './blob-saver.ts';
import type { FinishedPack, FromWorker, Job, JobResult, SessionSetup } from './messages.ts';
import type { SealingHere } from './sealing-here.ts';
import type { SealingJobs } from './sealing-jobs.ts';
import type { SealingThreads } from './sealing-threads.ts';

/** A job that waits for the worker's answer. `settle` is called once; where the pool fails it never is. */
export type PooledJob = {
  job: Job;
  settle: (result: JobResult) => void;
  /** About what it costs: the bytes that it reads and seals, and some for each item. */
  weightBytes: number;
};

export type PoolEvents = {
  /** Asked whenever a worker has room; undefined where nothing is waiting. */
  nextJob: () => PooledJob | undefined;
  onPack: (pack: FinishedPack) => void;
  onFailure: (error: Error) => void;
};

type Settle = (result: JobResult) => void;
type Lane = { worker: Worker; running: Settle[]; release: () => void };

/** One that is worked on and one that is ready: no worker waits for the main thread. */
const JOBS_PER_WORKER = 2;

/**
 * A session of so little is done without threads: that takes a few milliseconds, and to wake threads takes longer.
 * Many sessions are no larger: a folder that is captured whenever something in it changes.
 */
const WEIGHT_HERE_BYTES = 1024 * 1024;

/** Who seals for a repository, one session after another. */
export type Sealing = { threads: SealingThreads; here: SealingHere };

/** Who does one writer's jobs: this thread at first, then workers, as many as there is work for. */
export class SealingPool {
  readonly #sealing: Sealing;
  readonly #setup: SessionSetup;
  readonly #size: number;
  readonly #events: PoolEvents;
  readonly #lanes: Lane[] = [];
  #here: SealingJobs | undefined;
  /** Of all workers. */
  #packMemory: SharedArrayBuffer | undefined;
  #weightHere = 0;
  #idle: (() => void) | undefined;
  #scheduled = false;
  #closed = false;

  constructor(sealing: Sealing, setup: SessionSetup, size: number, events: PoolEvents) {
    this.#sealing = sealing;
    this.#setup = setup;
    this.#size = size;
    this.#events = events;
  }

  /** Says that there is work. Hands it out a little later, so that what comes in one go is handed out together. */
  wake(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#handOut();
    });
  }

  /** Resolves when nothing is waiting and nothing runs. */
  whenIdle(): Promise<void> {
    this.#handOut();
    if (this.#lanes.every(({ running }) => running.length === 0)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  /** What lies in packs that aren't full; the session's last job. The pool must be idle. */
  async drain(): Promise<JobResult[]> {
    const here = this.#here ? [this.#here.run({ kind: 'drain' })] : [];
    const there = this.#lanes.map(
      (lane) => new Promise<JobResult>((settle) => this.#give(lane, { kind: 'drain' }, settle)),
    );
    return [...here, ...(await Promise.all(there))];
  }

  /** After `drain` the workers are kept for the next session; else they are stopped whatever they do. May be called twice. */
  async close(drained: boolean): Promise<void> {
    this.#closed = true;
    if (this.#here) this.#sealing.here.giveBack(this.#here);
    this.#here = undefined;
    await Promise.all(
      this.#lanes.splice(0).map(async ({ worker, running, release }) => {
        release();
        if (drained && running.length === 0) await this.#sealing.threads.giveBack(worker);
        else await worker.terminate();
      }),
    );
  }

  #handOut(): void {
    while (!this.#closed && this.#hasRoom()) {
      const job = this.#events.nextJob();
      if (!job) return;
      if (this.#isForHere(job)) this.#runHere(job);
      else this.#give(this.#laneWithRoom(), job.job, job.settle);
    }
  }

  #isForHere({ weightBytes }: PooledJob): boolean {
    return this.#lanes.length === 0 && this.#weightHere + weightBytes <= WEIGHT_HERE_BYTES;
  }

  #runHere({ job, weightBytes, settle }: PooledJob): void {
    this.#weightHere += weightBytes;
    try {
      settle(this.#jobsHere().run(job));
    } catch (error) {
      this.#fail(messageOf(error), error);
    }
  }

  #jobsHere(): SealingJobs {
    if (this.#here) return this.#here;
    this.#here = this.#sealing.here.lend();
    this.#here.begin(this.#setup, (pack) => {
      // Counted as a worker's is, but without waiting: this thread is the one that stores them.
      Atomics.add(new Int32Array(this.#setup.packsInFlight), 0, 1);
      this.#events.onPack(pack);
    });
    return this.#here;
  }

  #hasRoom(): boolean {
    if (this.#lanes.length < this.#size) return true;
    return this.#lanes.some(({ running }) => running.length < JOBS_PER_WORKER);
  }

  /** A worker without work, else a new one, else the one with the least to do. */
  #laneWithRoom(): Lane {
    const free = this.#lanes.find(({ running }) => running.length === 0);
    if (free) return free;
    if (this.#lanes.length < this.#size) return this.#start();
    return this.#lanes.reduce((a, b) => (b.running.length < a.running.length ? b : a));
  }

  #give(lane: Lane, job: Job, settle: Settle): void {
    lane.running.push(settle);
    lane.worker.postMessage(job, buffersOf(job));
  }

  #start(): Lane {
    const worker = this.#sealing.threads.lend();
    const onMessage = (message: FromWorker) => this.#receive(lane, message);
    const onError = (error: unknown) => this.#fail(messageOf(error), error);
    const onExit = (code: number) => this.#fail(`a worker thread ended with code ${code}`);
    const release = () => {
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
    };
    const lane: Lane = { worker, running: [], release };
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    this.#packMemory ??= memoryForPacks(this.#size, this.#setup.packSizeBytes);
    const session = { ...this.#setup, packMemory: this.#packMemory };
    worker.postMessage({ kind: 'begin', session });
    this.#lanes.push(lane);
    return lane;
  }

  #receive(lane: Lane, message: FromWorker): void {
    if (this.#closed) return;
    if (message.kind === 'pack') {
      this.#events.onPack(message.pack);
      return;
    }
    lane.running.shift()?.(message.result);
    this.#handOut();
    if (this.#lanes.every(({ running }) => running.length === 0)) this.#idle?.();
  }

  #fail(why: string, cause?: unknown): void {
    if (!this.#closed) this.#events.onFailure(errors.writerStopped([why], { cause }));
  }
}

function buffersOf(job: Job): ArrayBuffer[] {
  if (job.kind === 'drain') return [];
  if (job.kind === 'range' || job.kind === 'live') return [];
  const views =
    job.kind === 'files' ? [job.files.paths, job.files.numbers] : [job.bytes, job.lengths];
  return views.map(({ buffer }) => buffer).filter((buffer) => buffer instanceof ArrayBuffer);
}
