/**
 * Blobs straight into files: whoever opens a stretch of a pack writes what comes out, so that no byte of it goes from
 * thread to thread. As for decoding, numbers lie in typed arrays: most files of a large tree are small.
 */
import {
  type AppliedMetadata,
  type ApplyOptions,
  type ExtendedAttribute,
  isFlagsAttribute,
  type MetadataFailure,
} from '#base';
import type { SystemErrorFacts } from '../writer/messages.ts';
import type { DecodeJob } from './decode-job.ts';

export type PlacedFile = {
  /** Absolute, or below the plan's `root`. Nothing is followed there. */
  path: Buffer;
  /**
   * `create`: it must not be there. `write`: an empty or partly written one is. `update`: an older one is there, of
   * which only what differs is written.
   */
  how: 'create' | 'write' | 'update';
  /** Where all that it holds comes in this plan: it is then given its size and metadata. */
  finish?: { sizeBytes: number; metadata: AppliedMetadata };
};

/** What becomes of one stretch. Pieces come in the order of the blobs; a blob may have none, or many. */
export type PlacingPlan = {
  /** Descriptor of an open folder: no path leads out of it, whatever others do meanwhile. */
  root?: number | undefined;
  files: PlacedFile[];
  pieces: { blob: number; file: number; offset: number }[];
};

/** By the places in the plan. */
export type PlacedOutcome = {
  /** 0 for a blob that is damaged: none of its pieces was written. */
  whole: Uint8Array<ArrayBuffer>;
  /** 1 for a file that got its size and metadata. */
  finished: Uint8Array<ArrayBuffer>;
  /** The file as far as it was written stays. */
  failures: { file: number; error: SystemErrorFacts }[];
  metadataFailures: { file: number; failures: MetadataFailure[] }[];
  /** What differed, or is new; holes aren't written. */
  writtenBytes: number;
};

export type PlacingJob = {
  stretch: DecodeJob;
  owner: ApplyOptions['owner'];
  root: number | undefined;
  paths: Uint8Array<ArrayBuffer>;
  /** See `FILE_NUMBERS`. */
  files: Float64Array<ArrayBuffer>;
  /** Access and modification time of each file. */
  times: BigInt64Array<ArrayBuffer>;
  xattrs: Map<number, ExtendedAttribute[]>;
  /** Blob, file, offset. */
  pieces: Float64Array<ArrayBuffer>;
};

const HOW = ['create', 'write', 'update'] as const;
/** End of its path in `paths`, how, whether to finish, size, permissions, owner, group. */
const FILE_NUMBERS = 7;
const PIECE_NUMBERS = 3;

export function placingJob(
  stretch: DecodeJob,
  plan: PlacingPlan,
  owner: ApplyOptions['owner'],
): PlacingJob {
  const files = new Float64Array(plan.files.length * FILE_NUMBERS);
  const times = new BigInt64Array(plan.files.length * 2);
  const xattrs: PlacingJob['xattrs'] = new Map();
  let pathBytes = 0;
  for (const [number, { path, how, finish }] of plan.files.entries()) {
    pathBytes += path.length;
    const at = number * FILE_NUMBERS;
    files[at] = pathBytes;
    files[at + 1] = HOW.indexOf(how);
    if (!finish) continue;
    const { metadata, sizeBytes } = finish;
    files[at + 2] = 1;
    files[at + 3] = sizeBytes;
    files[at + 4] = metadata.permissions;
    files[at + 5] = metadata.uid;
    files[at + 6] = metadata.gid;
    times[number * 2] = metadata.atimeNs;
    times[number * 2 + 1] = metadata.mtimeNs;
    if (metadata.xattrs.length > 0) xattrs.set(number, metadata.xattrs);
  }
  const paths = new Uint8Array(pathBytes);
  let at = 0;
  for (const { path } of plan.files) {
    paths.set(path, at);
    at += path.length;
  }
  const pieces = new Float64Array(plan.pieces.length * PIECE_NUMBERS);
  let piece = 0;
  for (const { blob, file, offset } of plan.pieces) {
    pieces[piece] = blob;
    pieces[piece + 1] = file;
    pieces[piece + 2] = offset;
    piece += PIECE_NUMBERS;
  }
  return { stretch, owner, root: plan.root, paths, files, times, xattrs, pieces };
}

/**
 * Times that 64 bits can't tell in nanoseconds don't come over, and flags may keep a file from being linked: such files
 * are finished by whoever plans.
 */
export function canFinish({ atimeNs, mtimeNs, xattrs }: AppliedMetadata): boolean {
  if (xattrs.some(isFlagsAttribute)) return false;
  return BigInt.asIntN(64, atimeNs) === atimeNs && BigInt.asIntN(64, mtimeNs) === mtimeNs;
}

export function planOf({ root, paths, files, times, xattrs, pieces }: PlacingJob): PlacingPlan {
  const plan: PlacingPlan = { root, files: [], pieces: [] };
  const bytes = Buffer.from(paths.buffer, paths.byteOffset, paths.length);
  let start = 0;
  for (let number = 0; number * FILE_NUMBERS < files.length; number += 1) {
    const at = number * FILE_NUMBERS;
    const end = files[at] as number;
    const file: PlacedFile = {
      path: bytes.subarray(start, end),
      how: HOW[files[at + 1] as number] as PlacedFile['how'],
    };
    start = end;
    plan.files.push(file);
    if (!files[at + 2]) continue;
    // Buffers come over as plain arrays of bytes.
    const own = (xattrs.get(number) ?? []).map(({ name, value }) => ({
      name: Buffer.from(name),
      value: Buffer.from(value),
    }));
    const metadata: AppliedMetadata = {
      kind: 'file',
      permissions: files[at + 4] as number,
      uid: files[at + 5] as number,
      gid: files[at + 6] as number,
      atimeNs: times[number * 2] as bigint,
      mtimeNs: times[number * 2 + 1] as bigint,
      xattrs: own,
    };
    file.finish = { sizeBytes: files[at + 3] as number, metadata };
  }
  for (let at = 0; at < pieces.length; at += PIECE_NUMBERS) {
    plan.pieces.push({
      blob: pieces[at] as number,
      file: pieces[at + 1] as number,
      offset: pieces[at + 2] as number,
    });
  }
  return plan;
}
