/** What the main thread and the sealing workers say to one another. Buffers are transferred or shared, not copied. */
import type { ReadingCheck } from '#base';
import type { Cutting } from '../chunking/cutting.ts';
import type { Compression } from '../crypto/compression.ts';
import type { MasterKey } from '../crypto/master-key.ts';
import type { SharedBlobTable } from '../index/shared-table.ts';
import type { BlobType } from '../names.ts';

/** What every session in one repository shares. */
export type RepositorySecrets = {
  masterKey: MasterKey;
  /** Decides where content is cut. */
  chunkerSecret: string;
};

export type SessionSetup = {
  /** What the repository holds already. */
  known: SharedBlobTable;
  /** Memory of the `ClaimTable`. */
  claims: SharedArrayBuffer;
  /** One Int32: packs that were handed over and aren't stored yet. */
  packsInFlight: SharedArrayBuffer;
  maxPacksInFlight: number;
  packSizeBytes: number;
  cutting: Cutting;
  /** See `createPackMemory`; without it, each pack has memory of its own: where little is to come. */
  packMemory?: SharedArrayBuffer;
};

export type ToWorker =
  /** The first message. Has no answer. */
  | { kind: 'unlock'; secrets: RepositorySecrets }
  /** Jobs from here on are of this session; its last one is `drain`. Has no answer. */
  | { kind: 'begin'; session: SessionSetup }
  | Job;

export type Job =
  | { kind: 'files'; files: FileList }
  /** Chunks or trees, one after another in `bytes`. */
  | {
      kind: 'blobs';
      type: BlobType;
      bytes: Uint8Array;
      lengths: Uint32Array;
      compression: Compression;
    }
  /** A part of a file whose chunks are all of one size; the file goes on behind it. */
  | { kind: 'range'; range: FileRange }
  /** Parts of files that others write to meanwhile. */
  | { kind: 'live'; parts: readonly LivePart[] }
  /** Asks for the packs that aren't full: the session's last job. */
  | { kind: 'drain' };

export type FileRange = {
  path: Uint8Array;
  /** A multiple of the chunk size. */
  offset: number;
  length: number;
  chunkBytes: number;
};

/** All of its bytes are asked for: what has been cut off reads as zeros. */
export type LivePart = FileRange & { check?: ReadingCheck };

/** `wrong`: offsets in the file, see `ReadingChecker`. `gone`: the file isn't there any more. */
export type LivePartResult =
  | { ids: Uint8Array; newBytes: number; wrong: readonly number[] }
  | SystemErrorFacts
  | 'gone';

export type JobResult =
  | FilesResult
  /** `sizeBytes` is less where the file has become shorter. */
  | { kind: 'range'; ids: Uint8Array; sizeBytes: number; newBytes: number }
  | { kind: 'range-failed'; error: SystemErrorFacts }
  | { kind: 'live'; parts: readonly LivePartResult[] }
  /** `isNew`: 1 for each blob that the repository didn't hold. */
  | { kind: 'blobs'; ids: Uint8Array; isNew: Uint8Array }
  | { kind: 'drain'; packs: UnfinishedPack[] };

/**
 * `numbers`: for each file its count of ids, the bytes read, the plain bytes of new blobs and the sum of what is to be
 * said of it (`IS_CHANGED`, `MAY_HAVE_XATTRS`); see `FILE_NUMBERS`.
 */
export type FilesResult = {
  kind: 'files';
  numbers: Float64Array;
  ids: Uint8Array;
  /** By the file's place in the job. Ids of its first chunks may be among `ids` all the same. */
  failed: Map<number, SystemErrorFacts>;
};

/** Numbers and not objects: thousands of small objects are dear to send. */
export const FILE_NUMBERS = 4;
export const IS_CHANGED = 1;
export const MAY_HAVE_XATTRS = 2;

export type SystemErrorFacts = {
  message: string;
  code: string;
  errno?: number;
  syscall?: string;
  path?: string;
};

export type FinishedPack = {
  id: string;
  /** One after another. To be given back by `giveBackPack`. */
  parts: readonly Uint8Array[];
  /** The plain header. */
  header: Uint8Array;
};

/** Blobs alone, sealed, with the plain header that describes them. */
export type UnfinishedPack = {
  type: BlobType;
  parts: readonly Uint8Array[];
  header: Uint8Array;
};

export type FromWorker = { kind: 'pack'; pack: FinishedPack } | { kind: 'done'; result: JobResult };

/** Node's own error as values; undefined where it isn't one of the operating system. */
export function systemErrorFacts(error: unknown): SystemErrorFacts | undefined {
  if (!(error instanceof Error)) return undefined;
  const { message, code, errno, syscall, path } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return undefined;
  return {
    message,
    code,
    syscall,
    ...(errno === undefined ? {} : { errno }),
    ...(path === undefined ? {} : { path: String(path) }),
  };
}

export function systemError(facts: SystemErrorFacts): Error {
  return Object.assign(new Error(facts.message), facts);
}

/** `expectedMtimeMs`: NaN where any will do. */
export type ListedFile = { path: Buffer; expectedSizeBytes: number; expectedMtimeMs: number };

/**
 * Files to read. `paths` follow one another; `numbers`: for each file the length of its path, the size and the `mtimeMs`
 * that are expected; see `LISTED_NUMBERS`.
 */
export type FileList = { paths: Uint8Array<ArrayBuffer>; numbers: Float64Array<ArrayBuffer> };

export const LISTED_NUMBERS = 3;

export function* filesOfList({ paths, numbers }: FileList): Generator<ListedFile> {
  const bytes = Buffer.from(paths.buffer, paths.byteOffset, paths.length);
  let pathAt = 0;
  for (let at = 0; at < numbers.length; at += LISTED_NUMBERS) {
    const pathEnd = pathAt + (numbers[at] as number);
    const path = bytes.subarray(pathAt, pathEnd);
    const expectedSizeBytes = numbers[at + 1] as number;
    yield { path, expectedSizeBytes, expectedMtimeMs: numbers[at + 2] as number };
    pathAt = pathEnd;
  }
}
