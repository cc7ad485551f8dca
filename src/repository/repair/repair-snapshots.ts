/** Snapshots that need what is lost: written anew without it, so that all the rest comes back. */
import { isHoldfastError, silent } from '#base';
import { lostOriginals, restoreFromCopy } from '../copies/restore-copy.ts';
import { reachableBlobs } from '../reachable-blobs.ts';
import type { Repository } from '../repository.ts';
import type { Snapshot } from '../snapshots/snapshot-json.ts';
import { openWriter } from '../writer/open-writer.ts';
import type { RepositoryWriter } from '../writer/writer.ts';
import { isLoss } from './loss.ts';
import { repairIndexLocked } from './repair-index.ts';
import { type RepairOptions, underExclusiveLock } from './repair-options.ts';
import { type Cut, TreeRepair } from './tree-repair.ts';

/** What tells a repaired snapshot from others, as restic does. */
export const REPAIRED_TAG = 'repaired';

export type SnapshotRepairOptions = RepairOptions & {
  /** Remove what was replaced, and snapshots of which nothing can be read: restic finds the repository clean only then. */
  forget?: boolean;
  /** Bring back snapshots of which only the second copy is left; forgotten ones too, where another program forgot them. */
  bringBack?: boolean;
};

export type SnapshotRepair = {
  dryRun: boolean;
  snapshots: number;
  /** `id` is the new one, absent in a dry run. */
  repaired: { original: string; id?: string; cut: Cut[] }[];
  /** Nothing of these can be read. */
  lost: { id: string; why: string }[];
  broughtBack: string[];
  forgotten: string[];
};

/**
 * The indexes are repaired first. New snapshots keep everything of the old ones but what is lost, name their `original`
 * and have the tag `repaired`; records of captures go on naming the original. An original is removed only after the new
 * snapshot is durable (`snapshot-saved`). May be interrupted and called again.
 */
export function repairSnapshots(
  repository: Repository,
  options: SnapshotRepairOptions = {},
): Promise<SnapshotRepair> {
  return underExclusiveLock(repository, options, async (signal, lock) => {
    const progress = options.progress ?? silent;
    await repairIndexLocked(repository, signal, options);
    const repair: SnapshotRepair = {
      dryRun: options.dryRun ?? false,
      ...{ snapshots: 0, repaired: [], lost: [], broughtBack: [], forgotten: [] },
    };
    if (options.bringBack) await bringBack(repository, repair);
    const snapshots = await readable(repository, repair);
    progress({ step: 'walking trees' });
    const broken = await brokenSnapshots(repository, snapshots, signal);
    if (broken.length > 0) {
      const writer = repair.dryRun ? undefined : await openWriter(repository, { heldLock: lock });
      await rewrite(repository, broken, repair, writer, signal);
    }
    if (options.forget && !repair.dryRun) await forgetReplaced(repository, repair);
    return repair;
  });
}

async function bringBack(repository: Repository, repair: SnapshotRepair): Promise<void> {
  for (const name of await lostOriginals(repository)) {
    if (!name.startsWith('snapshots/')) continue;
    if (!repair.dryRun && !(await restoreFromCopy(repository, name, 'repair'))) continue;
    repair.broughtBack.push(name.slice('snapshots/'.length));
  }
}

async function readable(repository: Repository, repair: SnapshotRepair): Promise<Snapshot[]> {
  const snapshots = await repository.snapshots.list({}, (id, error) => {
    if (!isLoss(error)) throw error;
    repair.lost.push({ id, why: error.message });
  });
  for (const name of repository.files.takeStandIns('snapshots')) {
    if (!repair.dryRun) await restoreFromCopy(repository, name, 'repair');
  }
  repair.snapshots = snapshots.length;
  return snapshots;
}

/** Most often none: then no tree is looked at one by one. */
async function brokenSnapshots(
  repository: Repository,
  snapshots: readonly Snapshot[],
  signal: AbortSignal,
): Promise<Snapshot[]> {
  const roots = new Set(snapshots.map(({ tree }) => tree));
  const { lost } = await reachableBlobs(repository, roots, { signal });
  return lost.length > 0 ? [...snapshots] : [];
}

async function rewrite(
  repository: Repository,
  snapshots: readonly Snapshot[],
  repair: SnapshotRepair,
  writer: RepositoryWriter | undefined,
  signal: AbortSignal,
): Promise<void> {
  const made: { snapshot: Snapshot; tree: string; cut: Cut[] }[] = [];
  try {
    const trees = new TreeRepair(repository, writer);
    for (const snapshot of snapshots) {
      signal.throwIfAborted();
      const cut: Cut[] = [];
      const tree = await trees.repaired(snapshot.tree, '/', cut);
      if (tree === undefined) repair.lost.push({ id: snapshot.id, why: cut[0]?.what ?? '' });
      else if (cut.length > 0) made.push({ snapshot, tree, cut });
    }
    await writer?.finish();
  } catch (error) {
    await writer?.abort();
    throw error;
  }
  for (const { snapshot, tree, cut } of made) {
    const known = snapshots.find((other) => isRepairOf(other, snapshot, tree));
    const id =
      known?.id ?? (repair.dryRun ? undefined : await saveRepaired(repository, snapshot, tree));
    repair.repaired.push({ original: snapshot.id, ...(id !== undefined && { id }), cut });
  }
}

/** Made by an earlier repair, which left the original or was interrupted before it went. */
function isRepairOf(other: Snapshot, { id, others }: Snapshot, tree: string): boolean {
  return other.tree === tree && other.others.original === (others.original ?? id);
}

async function saveRepaired(
  repository: Repository,
  { id, timeMs, others, tags, ...rest }: Snapshot,
  tree: string,
): Promise<string> {
  const saved = await repository.snapshots.save({
    ...rest,
    tree,
    tags: tags.includes(REPAIRED_TAG) ? tags : [...tags, REPAIRED_TAG],
    others: { ...others, original: others.original ?? id },
  });
  return saved.id;
}

async function forgetReplaced(repository: Repository, repair: SnapshotRepair): Promise<void> {
  const outdated = [
    ...repair.repaired.map(({ original }) => original),
    ...repair.lost.map(({ id }) => id),
  ];
  for (const id of outdated) {
    try {
      await repository.snapshots.remove(id);
      repair.forgotten.push(id);
    } catch (error) {
      // What storage keeps for a while yet is named by being absent from `forgotten`.
      if (!isHoldfastError(error, 'repository/still-locked')) throw error;
    }
  }
}
