/** Worker thread: runs one job after another, every call synchronous; see `messages.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { ChunkWindow } from '../chunking/chunk-window.ts';
import { createContentCutter } from '../chunking/content-cutter.ts';
import type { BlobType } from '../names.ts';
import { BlobSaver } from './blob-saver.ts';
import { IdList } from './id-list.ts';
import {
  decodeFileList,
  type FileResult,
  type FinishedPack,
  type FromWorker,
  type Job,
  type JobResult,
  type ListedFile,
  systemErrorFacts,
  type WorkerSetup,
} from './messages.ts';
import { readFileInChunks } from './read-file.ts';

const setup = workerData as WorkerSetup;
const packsInFlight = new Int32Array(setup.packsInFlight);
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

function saveFiles(list: Uint8Array): JobResult {
  const ids = new IdList();
  const files: FileResult[] = [];
  for (const file of decodeFileList(list)) files.push(saveFile(file, ids));
  return { kind: 'files', files, ids: ids.bytes() };
}

/** Pushes the file's ids; where it can't be read to its end, those of its first chunks belong to nobody. */
function saveFile({ path, expectedSizeBytes }: ListedFile, ids: IdList): FileResult {
  const before = ids.count;
  let newBytes = 0;
  try {
    const sizeBytes = readFileInChunks(path, expectedSizeBytes, window, (chunk) => {
      const { id, isNew } = saver.save('data', chunk);
      ids.push(id);
      if (isNew) newBytes += chunk.length;
    });
    return { blobs: ids.count - before, sizeBytes, newBytes };
  } catch (error) {
    const facts = systemErrorFacts(error);
    if (!facts) throw error;
    return { blobs: ids.count - before, error: facts };
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
