/** Many blobs into files, a stretch of a pack at a time. */
import type { ApplyOptions } from '#base';
import type { ReadBlobsOptions, Repository } from '../repository.ts';
import { systemError } from '../writer/messages.ts';
import { decodeJob } from './decode-job.ts';
import {
  type PlacedOutcome,
  type PlacingJob,
  type PlacingPlan,
  placingJob,
} from './placing-job.ts';
import { eachStretch, readAlone } from './read-blobs.ts';

/** With Node's own system errors. */
export type Placed = Omit<PlacedOutcome, 'failures'> & {
  failures: { file: number; error: Error }[];
};

export type BlobPlacing = {
  owner: ApplyOptions['owner'];
  /** Where the blobs of these ids belong; asked just before they are written. */
  plan: (ids: readonly Uint8Array[]) => PlacingPlan;
  /** What became of a plan. Blobs that weren't whole follow alone. */
  onPlaced: (plan: PlacingPlan, placed: Placed) => void | Promise<void>;
  /** A blob that had to be read alone, after any other copy: the caller writes it. The bytes hold until it returns. */
  onAlone: (id: Buffer, bytes: Buffer) => void | Promise<void>;
};

export type Place = (job: PlacingJob) => PlacedOutcome | Promise<PlacedOutcome>;

export async function placeBlobs(
  repository: Repository,
  place: Place,
  ids: Uint8Array,
  placing: BlobPlacing,
  options: ReadBlobsOptions,
): Promise<void> {
  const onBlob = ({ id, bytes }: { id: Buffer; bytes: Buffer }) => placing.onAlone(id, bytes);
  const reading = { repository, type: 'data', onBlob, options } as const;
  await eachStretch(reading, ids, async ({ packId, offset, blobs }, sealed) => {
    const plan = placing.plan(blobs.map(({ id }) => id));
    const job = placingJob(decodeJob(packId, offset, blobs, sealed), plan, placing.owner);
    const outcome = await place(job);
    const failures = outcome.failures.map(({ file, error }) => ({
      file,
      error: systemError(error),
    }));
    await placing.onPlaced(plan, { ...outcome, failures });
    for (const [i, blob] of blobs.entries()) {
      if (!outcome.whole[i]) await readAlone(reading, blob);
    }
  });
}
