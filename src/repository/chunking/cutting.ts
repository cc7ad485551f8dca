/** How the files of one repository are cut. */
import type { Repository } from '../repository.ts';
import type { Snapshot } from '../snapshots/snapshot-json.ts';

export type Cutting = {
  /** Where content decides: our own cuts, or restic's. */
  style: 'gear' | 'rabin';
  /** Asked for: files of a MiB and more are all cut every so many bytes. */
  fixedBytes?: number;
};

/** Of thousands of snapshots, so many are looked at. */
const LOOKED_AT = 64;

/**
 * `rabin` where snapshots of restic's own are there: what they hold of the same files is then shared with ours. Where
 * both have written, restic's decide.
 */
export async function styleOfRepository(
  repository: Pick<Repository, 'snapshots'>,
): Promise<Cutting['style']> {
  const ids = await repository.snapshots.ids();
  const step = Math.max(1, Math.floor(ids.length / LOOKED_AT));
  const sample = ids.filter((_, number) => number % step === 0);
  const snapshots = await Promise.allSettled(sample.map((id) => repository.snapshots.load(id)));
  // One that can't be read, or has gone meanwhile, decides nothing.
  return snapshots.some((one) => one.status === 'fulfilled' && isRestics(one.value))
    ? 'rabin'
    : 'gear';
}

/** restic leaves its name from 0.17 on, and nothing before. */
function isRestics({ others, tags }: Snapshot): boolean {
  const program = others.program_version;
  if (typeof program === 'string') return program.startsWith('restic');
  return !tags.some((tag) => tag.startsWith('holdfast'));
}
