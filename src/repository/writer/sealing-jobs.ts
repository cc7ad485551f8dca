/** What is done with jobs, one after another, every call synchronous: in a worker thread or, for little, right here. */
import { ChunkWindow } from '../chunking/chunk-window.ts';
import { createCutter } from '../chunking/cutter.ts';
import type { Cutting } from '../chunking/cutting.ts';
import { chunkingOfFile } from '../chunking/paged-file.ts';
import { Sealer } from '../crypto/sealer.ts';
import { Compressor } from '../crypto/zstd-context.ts';
import { BlobSaver, type Compressors } from './blob-saver.ts';
import { IdList } from './id-list.ts';
import { LiveReader } from './live-reader.ts';
import {
  FILE_NUMBERS,
  type FileList,
  type FileRange,
  type FilesResult,
  type FinishedPack,
  filesOfList,
  IS_CHANGED,
  type Job,
  type JobResult,
  LISTED_NUMBERS,
  type ListedFile,
  MAY_HAVE_XATTRS,
  type RepositorySecrets,
  type SessionSetup,
  type SystemErrorFacts,
  systemErrorFacts,
} from './messages.ts';
import { readFileInChunks, readRangeInChunks } from './read-file.ts';
import type { Chunking } from './writer.ts';

/** Stays in the processor's cache until it is hashed. */
const RANGE_READ_BYTES = 1024 * 1024;

type ReadOfFile = ReturnType<typeof readFileInChunks> & { newBytes: number };

/** Serves one session after another; what is dear to make lasts over all of them. */
export class SealingJobs {
  readonly #chunkerSecret: string;
  readonly #sealer: Sealer;
  readonly #compressors: Compressors = { usual: new Compressor(), pages: new Compressor('pages') };
  #saver: BlobSaver | undefined;
  #cutting: Cutting = { style: 'gear' };
  /** For files: by how they are cut. */
  readonly #windows = new Map<string, ChunkWindow>();
  #rangeMemory: Buffer = Buffer.alloc(0);
  readonly #live = new LiveReader();

  constructor({ masterKey, chunkerSecret }: RepositorySecrets) {
    this.#sealer = new Sealer(masterKey);
    this.#chunkerSecret = chunkerSecret;
  }

  /** Packs that another session left open are forgotten. */
  begin(session: SessionSetup, onPack: (pack: FinishedPack) => void): void {
    this.#cutting = session.cutting;
    this.#saver = new BlobSaver(this.#sealer, this.#compressors, session, onPack);
  }

  run(job: Job): JobResult {
    const saver = this.#saver;
    if (!saver) throw new TypeError('a job came before its session began');
    switch (job.kind) {
      case 'files':
        return this.#saveFiles(saver, job.files);
      case 'blobs':
        return saveBlobs(saver, job);
      case 'range':
        return this.#saveRange(saver, job.range);
      case 'live': {
        const save = (chunk: Buffer) => saver.save('data', chunk, 'pages');
        return { kind: 'live', parts: job.parts.map((part) => this.#live.read(part, save)) };
      }
      case 'drain':
        this.#saver = undefined;
        return { kind: 'drain', packs: saver.drain() };
    }
  }

  #saveFiles(saver: BlobSaver, list: FileList): FilesResult {
    const ids = new IdList();
    const numbers = new Float64Array((list.numbers.length / LISTED_NUMBERS) * FILE_NUMBERS);
    const failed = new Map<number, SystemErrorFacts>();
    let at = 0;
    for (const file of filesOfList(list)) {
      const before = ids.count;
      const saved = this.#saveFile(saver, file, ids);
      numbers[at] = ids.count - before;
      if ('code' in saved) failed.set(at / FILE_NUMBERS, saved);
      else {
        numbers[at + 1] = saved.sizeBytes;
        numbers[at + 2] = saved.newBytes;
        numbers[at + 3] =
          (saved.isChanged ? IS_CHANGED : 0) + (saved.mayHaveXattrs ? MAY_HAVE_XATTRS : 0);
      }
      at += FILE_NUMBERS;
    }
    return { kind: 'files', numbers, ids: ids.bytes(), failed };
  }

  #saveFile(saver: BlobSaver, file: ListedFile, ids: IdList): ReadOfFile | SystemErrorFacts {
    let newBytes = 0;
    const windowFor = (handle: number) =>
      this.#windowFor(chunkingOfFile(handle, file.expectedSizeBytes, this.#cutting));
    try {
      const read = readFileInChunks(file, windowFor, (chunk) => {
        const { id, isNew } = saver.save('data', chunk);
        ids.push(id);
        if (isNew) newBytes += chunk.length;
      });
      return { ...read, newBytes };
    } catch (error) {
      const facts = systemErrorFacts(error);
      if (!facts) throw error;
      return facts;
    }
  }

  #windowFor(chunking: Chunking): ChunkWindow {
    const name = chunking.kind === 'fixed' ? `${chunking.sizeBytes}` : this.#cutting.style;
    let window = this.#windows.get(name);
    if (!window) {
      const { style } = this.#cutting;
      window = new ChunkWindow(createCutter(chunking, this.#chunkerSecret, style));
      this.#windows.set(name, window);
    }
    return window;
  }

  #saveRange(saver: BlobSaver, range: FileRange): JobResult {
    const { chunkBytes } = range;
    const roomBytes = Math.max(chunkBytes, RANGE_READ_BYTES - (RANGE_READ_BYTES % chunkBytes));
    if (this.#rangeMemory.length !== roomBytes) {
      this.#rangeMemory = Buffer.allocUnsafeSlow(roomBytes);
    }
    const ids = new IdList();
    let newBytes = 0;
    try {
      const path = Buffer.from(range.path);
      const sizeBytes = readRangeInChunks(path, range, this.#rangeMemory, (chunk) => {
        const { id, isNew } = saver.save('data', chunk);
        ids.push(id);
        if (isNew) newBytes += chunk.length;
      });
      return { kind: 'range', ids: ids.bytes(), sizeBytes, newBytes };
    } catch (error) {
      const facts = systemErrorFacts(error);
      if (!facts) throw error;
      return { kind: 'range-failed', error: facts };
    }
  }
}

function saveBlobs(saver: BlobSaver, job: Extract<Job, { kind: 'blobs' }>): JobResult {
  const { type, bytes, lengths, compression } = job;
  const ids = new Uint8Array(lengths.length * 32);
  const isNew = new Uint8Array(lengths.length);
  let at = 0;
  for (const [number, length] of lengths.entries()) {
    const saved = saver.save(type, bytes.subarray(at, at + length), compression);
    ids.set(saved.id, number * 32);
    if (saved.isNew) isNew[number] = 1;
    at += length;
  }
  return { kind: 'blobs', ids, isNew };
}
