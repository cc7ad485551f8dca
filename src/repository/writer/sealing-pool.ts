import { Worker } from 'node:worker_threads';
import { messageOf } from '#base';
import { errors } from '../errors.ts';
import type { FinishedPack, FromWorker, Job, JobResult, WorkerSetup } from './messages.ts';

/** A job that waits for the worker's answer. `settle` is called once; where the pool fails it never is. */
export type PooledJob = { job: Job; settle: (result: JobResult) => void };

export type PoolEvents = {
  /** Asked whenever a worker has room; undefined where nothing is waiting. */
  nextJob: () => PooledJob | undefined;
  onPack: (pack: FinishedPack) => void;
  onFailure: (error: Error) => void;
};

type Lane = { worker: Worker; running: PooledJob[] };

/** One that is worked on and one that is ready: no worker waits for the main thread. */
const JOBS_PER_WORKER = 2;

/** Nearly all that a worker makes is short-lived: room for more only lets it lie longer. */
const HEAP = { maxYoungGenerationSizeMb: 8 };

/** The worker threads of one writer. They start when there is work for them. */
export class SealingPool {
  readonly #setup: WorkerSetup;
  readonly #size: number;
  readonly #events: PoolEvents;
  readonly #lanes: Lane[] = [];
  #idle: (() => void) | undefined;
  #scheduled = false;
  #closed = false;

  constructor(setup: WorkerSetup, size: number, events: PoolEvents) {
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

  /** One job for each worker that was started; the pool must be idle. */
  runOnEach(job: Job): Promise<JobResult[]> {
    return Promise.all(
      this.#lanes.map(
        (lane) => new Promise<JobResult>((settle) => this.#give(lane, { job, settle })),
      ),
    );
  }

  /** Stops the workers whatever they do. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#lanes.map(({ worker }) => worker.terminate()));
  }

  #handOut(): void {
    while (!this.#closed && this.#hasRoom()) {
      const job = this.#events.nextJob();
      if (!job) return;
      this.#give(this.#laneWithRoom(), job);
    }
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

  #give(lane: Lane, pooled: PooledJob): void {
    lane.running.push(pooled);
    lane.worker.postMessage(pooled.job, buffersOf(pooled.job));
  }

  #start(): Lane {
    const url = new URL(import.meta.resolve('#worker/writer/sealing-worker'));
    const lane: Lane = {
      worker: new Worker(url, { workerData: this.#setup, resourceLimits: HEAP }),
      running: [],
    };
    lane.worker.on('message', (message: FromWorker) => this.#receive(lane, message));
    lane.worker.on('error', (error) => this.#fail(messageOf(error), error));
    lane.worker.on('exit', (code) => this.#fail(`a worker thread ended with code ${code}`));
    this.#lanes.push(lane);
    return lane;
  }

  #receive(lane: Lane, message: FromWorker): void {
    if (this.#closed) return;
    if (message.kind === 'pack') {
      this.#events.onPack(message.pack);
      return;
    }
    lane.running.shift()?.settle(message.result);
    this.#handOut();
    if (this.#lanes.every(({ running }) => running.length === 0)) this.#idle?.();
  }

  #fail(why: string, cause?: unknown): void {
    if (!this.#closed) this.#events.onFailure(errors.writerStopped([why], { cause }));
  }
}

function buffersOf(job: Job): ArrayBuffer[] {
  if (job.kind === 'drain') return [];
  const views = job.kind === 'files' ? [job.files] : [job.bytes, job.lengths];
  return views.map(({ buffer }) => buffer as ArrayBuffer);
}
