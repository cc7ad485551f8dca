/**
 * Blobs straight into files: whoever opens a stretch of a pack writes what comes out, so that no byte of it goes from
 * thread to thread.
 */
import {
  type AppliedMetadata,
  type ApplyOptions,
  isFlagsAttribute,
  type MetadataFailure,
} from '#base';
import type { SystemErrorFacts } from '../writer/messages.ts';
import type { DecodeJob } from './decode-job.ts';
import type { PackedFiles, PlannedFiles } from './planned-files.ts';

/** What becomes of one stretch. */
export type PlacingPlan = {
  /** Descriptor of an open folder: no path leads out of it, whatever others do meanwhile. */
  root?: number | undefined;
  files: PlannedFiles;
  /** Blob, file and offset of each piece, in the order of the blobs; a blob may have none, or many. */
  pieces: number[];
};

export const PIECE_NUMBERS = 3;

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
  files: PackedFiles;
  /** As in the plan. */
  pieces: Float64Array<ArrayBuffer>;
};

export function placingJob(
  stretch: DecodeJob,
  { root, files, pieces }: PlacingPlan,
  owner: ApplyOptions['owner'],
): PlacingJob {
  return { stretch, owner, root, files: files.pack(), pieces: new Float64Array(pieces) };
}

/**
 * Times that 64 bits can't tell in nanoseconds don't come over, and flags may keep a file from being linked: such files
 * are finished by whoever plans.
 */
export function canFinish({ atimeNs, mtimeNs, xattrs }: AppliedMetadata): boolean {
  if (xattrs.some(isFlagsAttribute)) return false;
  return BigInt.asIntN(64, atimeNs) === atimeNs && BigInt.asIntN(64, mtimeNs) === mtimeNs;
}
