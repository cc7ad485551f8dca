/** Worker threads that decode and verify what was read. They start at the first job and keep no process alive while idle. */
import type { Worker } from 'node:worker_threads';
import type { MasterKey } from '../crypto/master-key.ts';
import type { IndexEntries } from '../index/index-entries.ts';
import type { SharedBlobTable } from '../index/shared-table.ts';
import type { PackVerdict } from '../pack/verify-pack.ts';
import type { OpenedFiles, UnpackedFileHere } from '../sealed/many-unpacked.ts';
import type { DecodedJob, DecodeJob } from './decode-job.ts';
import { DECODE_THREADS, DecodeThreads } from './decode-threads.ts';
import type { PlacedOutcome, PlacingJob } from './placing-job.ts';
import type { PackMemory } from './rooms.ts';

/** `unlock` comes first, once. */
export type ToDecodeWorker =
  | { kind: 'unlock'; masterKey: MasterKey }
  | { kind: 'job'; number: number; job: PoolJob };

export type PoolJob =
  | { kind: 'decode'; stretch: DecodeJob }
  | { kind: 'verify'; pack: WholePack }
  | { kind: 'place'; placing: PlacingJob }
  | { kind: 'index'; fileName: string; stored: ArrayBuffer }
  | { kind: 'sealed'; name: string; stored: ArrayBuffer }
  | { kind: 'files'; files: readonly UnpackedFileHere[] };

/** `expected`: what the index tells of it (`wordsOfPack`). With a table, the links of its trees come back too. */
export type WholePack = {
  packId: string;
  bytes: PackMemory;
  sizeBytes: number;
  expected: Uint32Array<ArrayBuffer>;
  table?: SharedBlobTable;
};

/** `links`: see `LinkCollector.words`. */
export type VerifiedPack = { verdict: PackVerdict; links?: Uint32Array };

type Waiting = { resolve: (answer: never) => void; reject: (error: unknown) => void };

type Lane = { worker: Worker; waiting: Map<number, Waiting> };

export class DecodePool {
  readonly #masterKey: MasterKey;
  readonly #threads: DecodeThreads;
  #lanes: Lane[] = [];
  #nextNumber = 0;

  /** `threads`: some that may have started already. They are ended with the pool. */
  constructor(masterKey: MasterKey, threads = new DecodeThreads()) {
    this.#masterKey = masterKey;
    this.#threads = threads;
  }

  get size(): number {
    return DECODE_THREADS;
  }

  /** A job would find a thread that has started. */
  get isReady(): boolean {
    return this.#lanes.length > 0 || this.#threads.isReady;
  }

  /** All threads, before there is anything to do for them. */
  start(): void {
    while (this.#lanes.length < this.size) this.#start();
  }

  /** Takes the stretch's buffers over. Rejects where the thread died. */
  decode(stretch: DecodeJob): Promise<DecodedJob> {
    const { sealed, numbers, ids } = stretch;
    return this.#run({ kind: 'decode', stretch }, [sealed, numbers.buffer, ids.buffer]);
  }

  /** Takes the stretch's buffers over. Rejects where the thread died, or failed by what no file is to blame for. */
  async place(placing: PlacingJob): Promise<PlacedOutcome> {
    const { stretch, files, pieces } = placing;
    const buffers = [stretch.sealed, stretch.numbers.buffer, stretch.ids.buffer];
    const { paths, numbers, times } = files;
    const own = [paths.buffer, numbers.buffer, times.buffer, pieces.buffer];
    return this.#run({ kind: 'place', placing }, [...buffers, ...own]);
  }

  /** Takes over what it gets, unless it is shared. */
  verify(pack: WholePack): Promise<VerifiedPack> {
    return this.#run({ kind: 'verify', pack }, [pack.bytes, pack.expected.buffer]);
  }

  /** Takes the bytes over. Undefined where it is no index file: whoever asked may open it to learn why. */
  parseIndex(fileName: string, stored: ArrayBuffer): Promise<IndexEntries | undefined> {
    return this.#run({ kind: 'index', fileName, stored }, [stored]);
  }

  /** What lies in a file of ours. Takes the bytes over. Undefined where it can't be opened, as with `parseIndex`. */
  async openSealed(name: string, stored: ArrayBuffer): Promise<Buffer | undefined> {
    const job: PoolJob = { kind: 'sealed', name, stored };
    const content = await this.#run<Uint8Array<ArrayBuffer> | undefined>(job, [stored]);
    return content && Buffer.from(content.buffer, content.byteOffset, content.length);
  }

  openFiles(files: readonly UnpackedFileHere[]): Promise<OpenedFiles> {
    return this.#run({ kind: 'files', files }, []);
  }

  /** What is shared goes over all the same, and stays here. */
  #run<Answer>(job: PoolJob, buffers: readonly PackMemory[]): Promise<Answer> {
    const transfer = buffers.filter((buffer) => buffer instanceof ArrayBuffer);
    const lane = this.#leastBusy();
    const number = this.#nextNumber;
    this.#nextNumber += 1;
    return new Promise((resolve, reject) => {
      lane.waiting.set(number, { resolve, reject });
      lane.worker.ref();
      post(lane.worker, { kind: 'job', number, job }, transfer);
    });
  }

  async close(): Promise<void> {
    const lanes = this.#lanes;
    this.#lanes = [];
    await Promise.all([this.#threads.close(), ...lanes.map(({ worker }) => worker.terminate())]);
  }

  #leastBusy(): Lane {
    const idle = this.#lanes.find(({ waiting }) => waiting.size === 0);
    if (idle) return idle;
    if (this.#lanes.length < this.size) return this.#start();
    return this.#lanes.reduce((a, b) => (b.waiting.size < a.waiting.size ? b : a));
  }

  #start(): Lane {
    const worker = this.#threads.take();
    post(worker, { kind: 'unlock', masterKey: this.#masterKey });
    const lane: Lane = { worker, waiting: new Map() };
    worker.on('message', ({ number, answer }: { number: number; answer: never }) => {
      lane.waiting.get(number)?.resolve(answer);
      lane.waiting.delete(number);
      if (lane.waiting.size === 0) worker.unref();
    });
    const end = (error: unknown) => {
      this.#lanes = this.#lanes.filter((other) => other !== lane);
      for (const { reject } of lane.waiting.values()) reject(error);
      lane.waiting.clear();
    };
    worker.on('error', end);
    worker.on('exit', (code) => end(new Error(`a decoding thread ended with code ${code}`)));
    this.#lanes.push(lane);
    return lane;
  }
}

function post(worker: Worker, message: ToDecodeWorker, transfer: ArrayBuffer[] = []): void {
  worker.postMessage(message, transfer);
}
