/**
 * Removing what no snapshot needs, all at once and alone. The order makes it safe to be killed at any instant: new
 * packs, new indexes, then the old indexes, then the old packs. What an interruption leaves is harmless, and the next
 * prune removes it. For one beside backups see `pruneInPhases`.
 */
import { type ProgressListener, silent } from '#base';
import { errors } from '../errors.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import type { PackedBlob } from '../pack/header.ts';
import { EntrySet, reachableBlobs } from '../reachable-blobs.ts';
import type { Repository } from '../repository.ts';
import { allSnapshots } from './all-snapshots.ts';
import {
  type IndexFile,
  outdatedFiles,
  readIndexFiles,
  smallFiles,
  writeReplacements,
} from './index-files.ts';
import { packsInStorage } from './pack-use.ts';
import { type PrunePlan, planPrune } from './prune-plan.ts';
import { removeAll, removePacks } from './removals.ts';
import { type PackToRepack, repack } from './repack.ts';

/** restic's default: 5% of what is used may be unused. */
export const DEFAULT_MAX_UNUSED = 0.05;

export type PruneOptions = {
  dryRun?: boolean;
  /** Unused bytes that may stay in partly used packs, as a fraction of the used ones. Default 0.05. */
  maxUnused?: number;
  /** How long to wait where somebody else holds the repository. Default 0: refused at once. */
  lockWaitMs?: number;
  signal?: AbortSignal;
  progress?: ProgressListener;
};

export type PruneResult = {
  dryRun: boolean;
  snapshots: number;
  usedBytes: number;
  unusedBytes: number;
  freedBytes: number;
  repackedBytes: number;
  packsRemoved: number;
  packsWritten: number;
  packsKept: number;
  /** Files that the storage keeps for a while yet; the next prune finds them again. */
  stillLocked: number;
};

/**
 * Under an exclusive lock; `loadIndex` must be called again afterwards. Throws `repository/used-blob-missing`, or what
 * is damaged, before anything is changed; where a snapshot can't be read nothing is pruned, since nobody knows what it
 * needs.
 */
export async function prune(
  repository: Repository,
  options: PruneOptions = {},
): Promise<PruneResult> {
  if (repository.config.version < 2) {
    throw errors.olderFormat([repository.location, repository.config.version]);
  }
  const lock = await repository.lock('exclusive', { waitMs: options.lockWaitMs ?? 0 });
  const signal = options.signal ? AbortSignal.any([options.signal, lock.signal]) : lock.signal;
  try {
    return await pruneLocked(repository, signal, options);
  } finally {
    // It held packs that are gone, or that are marked for deletion.
    repository.dropIndex();
    await lock.release();
  }
}

async function pruneLocked(
  repository: Repository,
  signal: AbortSignal,
  options: PruneOptions,
): Promise<PruneResult> {
  const progress = options.progress ?? silent;
  progress({ step: 'finding what snapshots need' });
  const snapshots = await allSnapshots(repository);
  repository.dropIndex();
  // Marked packs are taken in too: one that is needed after all stays, the others go like any unused pack.
  const indexFiles = await readIndexFiles(repository, repository.index);
  const roots = new Set(snapshots.map(({ tree }) => tree));
  const reach = await reachableBlobs(repository, roots, { signal });
  const [lost] = reach.lost;
  if (lost) throw errors.usedBlobMissing([reach.lost.length, lost.error.message]);
  const stored = await packsInStorage(repository.storage, repository.index);
  const plan = planPrune(repository.index, reach.used, stored, {
    maxUnused: options.maxUnused ?? DEFAULT_MAX_UNUSED,
  });
  const done = options.dryRun
    ? { packsWritten: 0, stillLocked: 0 }
    : await carryOut(repository, plan, reach.used, indexFiles, { signal, progress });
  return {
    dryRun: options.dryRun ?? false,
    snapshots: snapshots.length,
    usedBytes: plan.usedBytes,
    unusedBytes: plan.unusedBytes,
    freedBytes: plan.freedBytes,
    repackedBytes: plan.repackedBytes,
    packsRemoved: plan.unindexed.length + plan.drop.length + plan.repack.length,
    packsKept: plan.keptPacks,
    ...done,
  };
}

async function carryOut(
  repository: Repository,
  plan: PrunePlan,
  used: EntrySet,
  indexFiles: readonly IndexFile[],
  { signal, progress }: { signal: AbortSignal; progress: ProgressListener },
): Promise<Pick<PruneResult, 'packsWritten' | 'stillLocked'>> {
  const { storage, files, index } = repository;
  progress({ step: 'removing packs of interrupted writers' });
  const orphans = await removePacks(repository, plan.unindexed, signal);

  let doneItems = 0;
  const totalItems = plan.repack.length;
  const fresh = await repack(repository, neededOf(index, plan.repack, used), {
    signal,
    onPack: () => {
      doneItems += 1;
      progress({ step: 'repacking', doneItems, totalItems });
    },
  });

  progress({ step: 'writing indexes' });
  const gone = new EntrySet(index.packCount);
  for (const number of [...plan.drop, ...plan.repack]) gone.add(number);
  const also = new Set([...smallFiles(indexFiles), ...indexFiles.filter(({ marked }) => marked)]);
  const outdated = outdatedFiles(indexFiles, gone, also);
  const written = new Set(await writeReplacements(repository, outdated, gone, fresh));
  signal.throwIfAborted();
  const old = outdated.map(({ id }) => id).filter((id) => !written.has(id));
  const indexes = await removeAll(old, signal, (id) => files.remove('index', id));

  progress({ step: 'removing packs' });
  // An index that stays tells of packs that must stay with it.
  const ids = indexes.locked > 0 ? [] : idsOf(index, [...plan.drop, ...plan.repack]);
  const packs = await removePacks(repository, ids, signal);
  await storage.removeLeftovers?.();
  return {
    packsWritten: fresh.length,
    stillLocked: orphans.locked + indexes.locked + packs.locked,
  };
}

function* neededOf(
  index: BlobIndex,
  numbers: readonly number[],
  used: EntrySet,
): Iterable<PackToRepack> {
  for (const number of numbers) {
    const packId = index.packIdOf(number);
    const isNeededHere = (blob: PackedBlob) => {
      const first = index.entryOf(blob.type, blob.id);
      if (!used.has(first) || index.packNumberOf(first) !== number) return false;
      return index.locationOf(first).offset === blob.offset;
    };
    yield { packId, keep: index.contentsOf(number).filter(isNeededHere) };
  }
}

function* idsOf(index: BlobIndex, numbers: readonly number[]): Iterable<string> {
  for (const number of numbers) yield index.packIdOf(number);
}
