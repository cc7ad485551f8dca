/**
 * Removing what no snapshot needs. The order makes it safe to be killed at any instant: new packs, new indexes, then the
 * old indexes, then the old packs. What an interruption leaves is harmless, and the next prune removes it.
 */
import { type ProgressListener, silent } from '#base';
import { storedPacks } from '../check/packs.ts';
import { errors } from '../errors.ts';
import { inLanes } from '../in-lanes.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import { readIndexFile } from '../index/load-index.ts';
import { packName } from '../names.ts';
import type { IndexedPack } from '../pack/header.ts';
import { reachableBlobs } from '../reachable-blobs.ts';
import type { Repository } from '../repository.ts';
import { type PrunePlan, planPrune } from './prune-plan.ts';
import { repack } from './repack.ts';

const BLOBS_PER_INDEX = 50_000;
const REMOVALS_AT_ONCE = 8;

/** restic's default: 5% of what is used may be unused. */
const DEFAULT_MAX_UNUSED = 0.05;

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
};

/**
 * Under an exclusive lock; `loadIndex` must be called again afterwards. Throws `repository/used-blob-missing`, or what is damaged, before anything is changed; where
 * a snapshot can't be read nothing is pruned, since nobody knows what it needs.
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
  const snapshots = await repository.snapshots.list();
  const indexFiles = await reloadIndex(repository);
  const { index } = repository;
  const roots = new Set(snapshots.map(({ tree }) => tree));
  const reach = await reachableBlobs(repository, roots, { signal });
  const [lost] = reach.lost;
  if (lost) throw errors.usedBlobMissing([reach.lost.length, lost.error.message]);
  const stored = await storedPacks(repository.storage);
  const plan = planPrune(index, reach.used, stored, {
    maxUnused: options.maxUnused ?? DEFAULT_MAX_UNUSED,
  });
  const written = options.dryRun
    ? 0
    : await carryOut(repository, plan, indexFiles, signal, progress);
  return {
    dryRun: options.dryRun ?? false,
    snapshots: snapshots.length,
    usedBytes: plan.usedBytes,
    unusedBytes: plan.unusedBytes,
    freedBytes: plan.freedBytes,
    repackedBytes: plan.repackedBytes,
    packsRemoved: plan.unindexed.length + plan.drop.length + plan.repack.length,
    packsWritten: written,
    packsKept: plan.keptPacks,
  };
}

/** An index file, and the packs that it tells of; `marked` where some of them wait for deletion (rustic). */
type IndexFile = { id: string; packIds: string[]; marked: boolean };

/** Marked packs are taken in too: one that is needed after all stays, the others go like any unused pack. */
async function reloadIndex(repository: Repository): Promise<IndexFile[]> {
  repository.dropIndex();
  const { index, files } = repository;
  const indexFiles: IndexFile[] = [];
  for (const id of await files.list('index')) {
    const file: IndexFile = { id, packIds: [], marked: false };
    await readIndexFile(files, id, (pack, list) => {
      if (list === 'packs_to_delete') file.marked = true;
      file.packIds.push(pack.id);
      index.addPack(pack.id, pack.blobs);
    });
    indexFiles.push(file);
  }
  return indexFiles;
}

async function carryOut(
  repository: Repository,
  plan: PrunePlan,
  indexFiles: readonly IndexFile[],
  signal: AbortSignal,
  progress: ProgressListener,
): Promise<number> {
  const { storage, files, index } = repository;
  progress({ step: 'removing packs of interrupted writers' });
  await removeAll(plan.unindexed.map(packName), signal, (name) => storage.remove(name));

  let doneItems = 0;
  const totalItems = plan.repack.length;
  const fresh = await repack(repository, plan.repack, signal, () => {
    doneItems += 1;
    progress({ step: 'repacking', doneItems, totalItems });
  });

  const gone = new Set([...plan.drop, ...plan.repack.map(({ packId }) => packId)]);
  progress({ step: 'writing indexes' });
  const outdated = await replaceIndexes(repository, index, indexFiles, gone, fresh);
  signal.throwIfAborted();
  await removeAll(outdated, signal, (id) => files.remove('index', id));

  progress({ step: 'removing packs' });
  await removeAll([...gone].map(packName), signal, (name) => storage.remove(name));
  await storage.removeLeftovers?.();
  return fresh.length;
}

/** Writes what the indexes that name a removed pack still have to tell. Resolves to the ids of those to delete. */
async function replaceIndexes(
  repository: Repository,
  index: BlobIndex,
  indexFiles: readonly IndexFile[],
  gone: ReadonlySet<string>,
  fresh: readonly IndexedPack[],
): Promise<string[]> {
  const outdated = outdatedFiles(indexFiles, gone);
  const packs = [...fresh];
  const told = new Set<string>();
  for (const packId of outdated.flatMap(({ packIds }) => packIds)) {
    if (gone.has(packId) || told.has(packId)) continue;
    told.add(packId);
    packs.push({ id: packId, blobs: index.packContents(packId) });
  }
  const kept = new Set<string>();
  for (const batch of batches(packs)) kept.add(await repository.saveIndex(batch));
  return outdated.map(({ id }) => id).filter((id) => !kept.has(id));
}

/** Files that tell of a removed pack; and files that tell of a pack that an outdated one tells of too, maybe of another part of it. */
function outdatedFiles(indexFiles: readonly IndexFile[], gone: ReadonlySet<string>): IndexFile[] {
  const touched = new Set(gone);
  let outdated: IndexFile[] = [];
  for (;;) {
    const now = indexFiles.filter(
      ({ packIds, marked }) =>
        marked || packIds.length === 0 || packIds.some((packId) => touched.has(packId)),
    );
    if (now.length === outdated.length) return now;
    outdated = now;
    for (const { packIds } of now) for (const packId of packIds) touched.add(packId);
  }
}

function* batches(packs: readonly IndexedPack[]): Iterable<IndexedPack[]> {
  let batch: IndexedPack[] = [];
  let blobs = 0;
  for (const pack of packs) {
    if (blobs > 0 && blobs + pack.blobs.length > BLOBS_PER_INDEX) {
      yield batch;
      batch = [];
      blobs = 0;
    }
    batch.push(pack);
    blobs += pack.blobs.length;
  }
  if (batch.length > 0) yield batch;
}

function removeAll(
  names: readonly string[],
  signal: AbortSignal,
  remove: (name: string) => Promise<void>,
): Promise<void> {
  return inLanes(names, REMOVALS_AT_ONCE, (name) => {
    signal.throwIfAborted();
    return remove(name);
  });
}
