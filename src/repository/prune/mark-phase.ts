/** The first phase: beside writers, decides what could go and notes it. No index is changed. */
import { errors } from '../errors.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import { type EntrySet, reachableBlobs } from '../reachable-blobs.ts';
import type { Repository } from '../repository.ts';
import { allSnapshots } from './all-snapshots.ts';
import { readIndexFiles, smallFiles } from './index-files.ts';
import { packsInStorage } from './pack-use.ts';
import type { PhaseContext } from './phases.ts';
import { type PruneMark, setBit, writeMark } from './prune-mark.ts';
import { type PrunePlan, planPrune } from './prune-plan.ts';

export type MarkSummary = {
  atMs: number;
  snapshots: number;
  /** Packs that go, packs whose needed blobs move, and packs that no index knows. */
  drop: number;
  repack: number;
  unindexed: number;
  usedBytes: number;
  unusedBytes: number;
  /** Bytes that the sweep would give back. */
  freedBytes: number;
};

/** Undefined where there is nothing to do. With `dryRun` nothing is written. */
export async function markPhase(context: PhaseContext): Promise<MarkSummary | undefined> {
  const { repository, progress, nowMs } = context;
  const lock = await repository.lock('shared', { waitMs: context.lockWaitMs });
  const signal = context.signal ? AbortSignal.any([context.signal, lock.signal]) : lock.signal;
  try {
    progress({ step: 'finding what snapshots need' });
    const snapshots = await allSnapshots(repository);
    await repository.loadIndex();
    const { index } = repository;
    const roots = new Set(snapshots.map(({ tree }) => tree));
    const reach = await reachableBlobs(repository, roots, { signal });
    const [lost] = reach.lost;
    if (lost) throw errors.usedBlobMissing([reach.lost.length, lost.error.message]);
    const stored = await packsInStorage(repository.storage, index);
    const plan = planPrune(index, reach.used, stored, { maxUnused: context.maxUnused });
    if (await isNothingToDo(repository, plan)) return undefined;
    signal.throwIfAborted();
    const mark = {
      atMs: nowMs,
      snapshots: new Set(snapshots.map(({ id }) => id)),
      ...packsOf(index, plan, reach.used),
    };
    if (!context.dryRun) {
      await writeMark(repository, mark);
      context.crashPoint('prune/marked');
    }
    return summaryOf(mark, plan);
  } finally {
    await lock.release();
  }
}

async function isNothingToDo(repository: Repository, plan: PrunePlan): Promise<boolean> {
  const packs = plan.drop.length + plan.repack.length + plan.unindexed.length;
  return packs === 0 && smallFiles(await readIndexFiles(repository)).length === 0;
}

function packsOf(
  index: BlobIndex,
  { drop, repack, unindexed }: PrunePlan,
  used: EntrySet,
): Pick<PruneMark, 'drop' | 'repack' | 'unindexed'> {
  return {
    drop: drop.map((number) => index.packIdOf(number)),
    repack: repack.map((number) => ({
      id: index.packIdOf(number),
      unused: unusedOf(index, number, used),
    })),
    unindexed,
  };
}

/** Of several copies of a blob all but the marked one are unused; the blob itself is not. */
function unusedOf(index: BlobIndex, packNumber: number, used: EntrySet): Uint8Array {
  const blobs = index.contentsOf(packNumber);
  const bits = new Uint8Array(Math.ceil(blobs.length / 8));
  for (const [at, { type, id }] of blobs.entries()) {
    if (!used.has(index.entryOf(type, id))) setBit(bits, at);
  }
  return bits;
}

function summaryOf(mark: Omit<PruneMark, 'name'>, plan: PrunePlan): MarkSummary {
  return {
    atMs: mark.atMs,
    snapshots: mark.snapshots.size,
    drop: mark.drop.length,
    repack: mark.repack.length,
    unindexed: mark.unindexed.length,
    usedBytes: plan.usedBytes,
    unusedBytes: plan.unusedBytes,
    freedBytes: plan.freedBytes,
  };
}
