/** Worker thread: runs one job after another, every call synchronous; see `messages.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { ChunkWindow } from '../chunking/chunk-window.ts';
import { createContentCutter } from '../chunking/content-cutter.ts';
import type { BlobType } from '../names.ts';
import { BlobSaver } from './blob-saver.ts';
import { IdList } from './id-list.ts';
import {
  decodeFileList,
  FILE_NUMBERS,
  type FilesResult,
  type FinishedPack,
  type FromWorker,
  type Job,
  type JobResult,
  type ListedFile,
  type SystemErrorFacts,
  systemErrorFacts,
  type WorkerSetup,
} from './messages.ts';
import { readFileInChunks } from './read-file.ts';

const setup = workerData as WorkerSetup;
const packsInFlight = new Int32Array(setup.packsInFlight);
const NOTHING = { sizeBytes: 0, newBytes: 0 };
const saver = new BlobSaver(setup, sendPack);
/** For files, whose cuts are by content. */
const window = new ChunkWindow(createContentCutter(setup.chunkerSecret));

parentPort?.on('message', (job: Job) => {
  const result = run(job);
  send({ kind: 'done', result }, buffersOf(result));
});

function run(job: Job): JobResult {
  switch (job.kind) {
    case 'files':
      return saveFiles(job.files);
    case 'blobs':
      return saveBlobs(job.type, job.bytes, job.lengths);
    case 'drain':
      return { kind: 'drain', packs: saver.drain() };
  }
}

function saveFiles(list: Uint8Array): FilesResult {
  const ids = new IdList();
  const numbers: number[] = [];
  const failed = new Map<number, SystemErrorFacts>();
  for (const file of decodeFileList(list)) {
    const before = ids.count;
    const saved = saveFile(file, ids);
    if ('code' in saved) failed.set(numbers.length / FILE_NUMBERS, saved);
    const { sizeBytes, newBytes } = 'code' in saved ? NOTHING : saved;
    numbers.push(ids.count - before, sizeBytes, newBytes);
  }
  return { kind: 'files', numbers: Float64Array.from(numbers), ids: ids.bytes(), failed };
}

function saveFile(
  { path, expectedSizeBytes }: ListedFile,
  ids: IdList,
): { sizeBytes: number; newBytes: number } | SystemErrorFacts {
  let newBytes = 0;
  try {
    const sizeBytes = readFileInChunks(path, expectedSizeBytes, window, (chunk) => {
      const { id, isNew } = saver.save('data', chunk);
      ids.push(id);
      if (isNew) newBytes += chunk.length;
    });
    return { sizeBytes, newBytes };
  } catch (error) {
    const facts = systemErrorFacts(error);
    if (!facts) throw error;
    return facts;
  }
}

function saveBlobs(type: BlobType, bytes: Uint8Array, lengths: Uint32Array): JobResult {
  const ids = new Uint8Array(lengths.length * 32);
  let newBytes = 0;
  let at = 0;
  for (const [number, length] of lengths.entries()) {
    const { id, isNew } = saver.save(type, bytes.subarray(at, at + length));
    ids.set(id, number * 32);
    if (isNew) newBytes += length;
    at += length;
  }
  return { kind: 'blobs', ids, newBytes };
}

/** Waits, blocking this thread, while too many packs are on their way to the storage. */
function sendPack(pack: FinishedPack): void {
  for (;;) {
    const inFlight = Atomics.load(packsInFlight, 0);
    if (inFlight >= setup.maxPacksInFlight) {
      Atomics.wait(packsInFlight, 0, inFlight);
    } else if (Atomics.compareExchange(packsInFlight, 0, inFlight, inFlight + 1) === inFlight) {
      break;
    }
  }
  send({ kind: 'pack', pack }, [pack.bytes.buffer as ArrayBuffer]);
}

function buffersOf(result: JobResult): ArrayBuffer[] {
  const views = result.kind === 'drain' ? result.packs.map(({ bytes }) => bytes) : [result.ids];
  return views.map(({ buffer }) => buffer as ArrayBuffer);
}

function send(message: FromWorker, transfer: ArrayBuffer[]): void {
  parentPort?.postMessage(message, transfer);
}
