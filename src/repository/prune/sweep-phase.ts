/**
 * The second phase. In shared time: what snapshots since the mark need is found, needed blobs move, and replacing indexes
 * are written beside the old ones. Alone, for seconds: what came last is looked at, and the old indexes go. Then, shared
 * again, the packs that no index tells of any more. Killed anywhere, the next sweep finds from the mark and from what is
 * stored where to go on.
 */
import { isHoldfastError, messageOf } from '#base';
import { errors } from '../errors.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import type { IndexedPack } from '../pack/header.ts';
import { EntrySet, reachableBlobs } from '../reachable-blobs.ts';
import type { Repository } from '../repository.ts';
import { allSnapshotIds } from './all-snapshots.ts';
import { goingPacks, movesOf, neededEntries } from './going-packs.ts';
import { outdatedFiles, readIndexFiles, smallFiles, writeReplacements } from './index-files.ts';
import type { PhaseContext } from './phases.ts';
import { type PruneMark, removeMark, renewMark } from './prune-mark.ts';
import { removeAll, removePacks } from './removals.ts';
import { repack } from './repack.ts';

export type SweepSummary = {
  markedAtMs: number;
  /** Snapshots since the mark, whose needs were respected. */
  newSnapshots: number;
  packsWritten: number;
  packsRemoved: number;
  /** Marked packs that stay: needed again, damaged, or told of by an index that couldn't be removed. */
  packsSpared: number;
  indexesRemoved: number;
  stillLocked: number;
  /** How long the repository was held alone. */
  exclusiveMs: number;
};

export type SweepOutcome =
  | { did: 'swept'; summary: SweepSummary }
  /** Somebody else holds the repository; what was prepared is there for the next try. */
  | { did: 'blocked'; by: string }
  /** Somebody else has pruned since: the mark is worth nothing any more, and was removed. */
  | { did: 'superseded' };

/** What the shared part has prepared for the exclusive one. */
type Prepared = {
  index: BlobIndex;
  going: EntrySet;
  /** Ids of all marked packs that may go, whether an index told of them or not. */
  candidates: string[];
  late: EntrySet;
  snapshotIds: ReadonlySet<string>;
  newSnapshots: number;
  oldIndexes: string[];
  newIndexes: string[];
  packsWritten: number;
};

export async function sweepPhase(context: PhaseContext, mark: PruneMark): Promise<SweepOutcome> {
  const { repository } = context;
  // Rights that only add are found out before anything is moved that would then lie there twice.
  await renewMark(repository, mark, () => context.crashPoint('prune/mark-taken'));
  const prepared = await underLock(context, 'shared', (signal) => prepare(context, mark, signal));
  let alone: Alone;
  try {
    alone = await underLock(context, 'exclusive', (signal) =>
      removeOldIndexes(context, mark, prepared, signal),
    );
  } catch (error) {
    if (!isHoldfastError(error, 'repository/locked')) throw error;
    return { did: 'blocked', by: messageOf(error) };
  }
  if (alone.superseded) {
    await removeMark(repository, mark);
    return { did: 'superseded' };
  }
  return underLock(context, 'shared', async (signal) => {
    const packs = await removeUntold(context, prepared.candidates, signal);
    await repository.storage.removeLeftovers?.();
    // What is locked for a while is found again by the next mark.
    await removeMark(repository, mark);
    const summary: SweepSummary = {
      markedAtMs: mark.atMs,
      newSnapshots: prepared.newSnapshots,
      packsWritten: prepared.packsWritten,
      packsRemoved: packs.removed,
      packsSpared: mark.drop.length + mark.repack.length + mark.unindexed.length - packs.removed,
      indexesRemoved: alone.removed,
      stillLocked: alone.locked + packs.locked,
      exclusiveMs: alone.tookMs,
    };
    return { did: 'swept', summary };
  });
}

async function underLock<T>(
  context: PhaseContext,
  kind: 'shared' | 'exclusive',
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const lock = await context.repository.lock(kind, { waitMs: context.lockWaitMs });
  const signal = context.signal ? AbortSignal.any([context.signal, lock.signal]) : lock.signal;
  try {
    return await work(signal);
  } finally {
    await lock.release();
  }
}

async function prepare(
  context: PhaseContext,
  mark: PruneMark,
  signal: AbortSignal,
): Promise<Prepared> {
  const { repository, progress } = context;
  const { ids: snapshotIds, roots } = await snapshotsSince(repository, mark.snapshots);
  await repository.loadIndex();
  const { index } = repository;
  progress({ step: 'finding what new snapshots need' });
  const late = new EntrySet(index.blobCount);
  await reach(repository, roots, late, signal);

  const marked = goingPacks(index, mark, late);
  const { going } = marked;
  const damaged: number[] = [];
  let doneItems = 0;
  const totalItems = marked.repack.length;
  const fresh = await repack(repository, movesOf(index, mark, marked, late), {
    signal,
    onPack: () => {
      doneItems += 1;
      progress({ step: 'repacking', doneItems, totalItems });
    },
    onDamaged: (packId) => damaged.push(index.packNumber(packId)),
  });
  spareDamaged(index, going, damaged);
  context.crashPoint('prune/packs-copied');

  progress({ step: 'writing indexes' });
  const files = await readIndexFiles(repository);
  const outdated = outdatedFiles(files, going, new Set(smallFiles(files)));
  const newIndexes = await writeReplacements(repository, outdated, going, fresh);
  context.crashPoint('prune/indexes-written');
  return {
    index,
    going,
    candidates: [...marked.unindexed, ...idsOf(index, going)],
    late,
    snapshotIds: new Set(snapshotIds),
    newSnapshots: roots.size,
    oldIndexes: outdated.map(({ id }) => id).filter((id) => !newIndexes.includes(id)),
    newIndexes,
    packsWritten: fresh.length,
  };
}

/** They stay, for whoever can mend them; and whatever holds another copy of their blobs, which wasn't moved maybe. */
function spareDamaged(index: BlobIndex, going: EntrySet, damaged: readonly number[]): void {
  for (const number of damaged) {
    going.remove(number);
    for (const { first, count } of index.runsOf(number)) {
      for (let entry = first; entry < first + count; entry += 1) {
        for (const copy of index.copiesOf(entry)) going.remove(index.packNumberOf(copy));
      }
    }
  }
}

async function snapshotsSince(
  repository: Repository,
  known: ReadonlySet<string>,
): Promise<{ ids: string[]; roots: Set<string> }> {
  const ids = await allSnapshotIds(repository);
  const roots = new Set<string>();
  for (const id of ids) {
    if (!known.has(id)) roots.add((await repository.snapshots.load(id)).tree);
  }
  return { ids, roots };
}

async function reach(
  repository: Repository,
  roots: Iterable<string>,
  known: EntrySet,
  signal: AbortSignal,
): Promise<void> {
  const { lost } = await reachableBlobs(repository, roots, { signal, known });
  if (lost[0]) throw errors.usedBlobMissing([lost.length, lost[0].error.message]);
}

type Alone =
  | { superseded: true }
  | { superseded: false; removed: number; locked: number; tookMs: number };

async function removeOldIndexes(
  context: PhaseContext,
  mark: PruneMark,
  prepared: Prepared,
  signal: AbortSignal,
): Promise<Alone> {
  const { repository, clock } = context;
  const begunMs = clock.monotonicMs();
  const { index, oldIndexes, newIndexes } = prepared;
  const there = new Set(await repository.files.list('index'));
  const isGone = (id: string) => !there.has(id);
  if (oldIndexes.some(isGone) || newIndexes.some(isGone)) return { superseded: true };
  const known = new Set([...mark.snapshots, ...prepared.snapshotIds]);
  const { roots } = await snapshotsSince(repository, known);
  await repository.loadIndex();
  if (repository.index !== index) return { superseded: true };
  await reach(repository, roots, prepared.late, signal);
  const spared = sparePacks(prepared);
  if (spared.length > 0) await repository.saveIndex(spared);
  signal.throwIfAborted();
  const outcome = await removeAll(oldIndexes, signal, (id) => repository.files.remove('index', id));
  context.crashPoint('prune/indexes-removed');
  return { superseded: false, ...outcome, tookMs: clock.monotonicMs() - begunMs };
}

/** Packs that the last snapshots need after all: their entries would go with the old indexes. */
function sparePacks({ index, going, late }: Prepared): IndexedPack[] {
  const spared: IndexedPack[] = [];
  for (const number of [...going.members()]) {
    if (neededEntries(index, number, late, going).next().value === undefined) continue;
    going.remove(number);
    spared.push({ id: index.packIdOf(number), blobs: index.contentsOf(number) });
  }
  return spared;
}

/** Nobody can bring them back into an index meanwhile: that takes an exclusive lock, and we hold a shared one. */
async function removeUntold(context: PhaseContext, ids: readonly string[], signal: AbortSignal) {
  const { repository, progress } = context;
  progress({ step: 'removing packs' });
  await repository.loadIndex();
  const untold = ids.filter((id) => !repository.index.hasPack(id));
  const outcome = await removePacks(repository, untold, signal, () =>
    context.crashPoint('prune/pack-removed'),
  );
  context.crashPoint('prune/packs-removed');
  return outcome;
}

function* idsOf(index: BlobIndex, numbers: EntrySet): Iterable<string> {
  for (const number of numbers.members()) yield index.packIdOf(number);
}
