/** What a prune would do, decided from the index and from what snapshots need: nothing is changed here. */
import { packProblem, type StoredPacks } from '../check/packs.ts';
import { errors } from '../errors.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import type { PackedBlob } from '../pack/header.ts';
import type { EntrySet } from '../reachable-blobs.ts';

export type PruneSettings = {
  /** Unused bytes that may stay, as a fraction of the used ones. 0 leaves none. */
  maxUnused: number;
};

export type PackToRepack = { packId: string; keep: PackedBlob[] };

export type PrunePlan = {
  /** Packs that no index knows: deleted first. */
  unindexed: string[];
  /** Nothing in them is needed. */
  drop: string[];
  /** Their needed blobs move into new packs. */
  repack: PackToRepack[];
  keptPacks: number;
  usedBytes: number;
  unusedBytes: number;
  /** Bytes of packs that go, less those of blobs that are written anew. */
  freedBytes: number;
  repackedBytes: number;
};

type PackUse = { packId: string; keep: PackedBlob[]; usedBytes: number; unusedBytes: number };

/** Throws `repository/used-blob-missing` where a pack with needed blobs isn't there whole. */
export function planPrune(
  index: BlobIndex,
  used: EntrySet,
  stored: StoredPacks,
  settings: PruneSettings,
): PrunePlan {
  const plan: PrunePlan = {
    unindexed: [...stored.keys()].filter((id) => !index.hasPack(id)),
    drop: [],
    repack: [],
    keptPacks: 0,
    usedBytes: 0,
    unusedBytes: 0,
    freedBytes: 0,
    repackedBytes: 0,
  };
  for (const packId of plan.unindexed) plan.freedBytes += stored.get(packId) as number;
  const partly: PackUse[] = [];
  for (const { id, blobs } of index.packs()) {
    const use = useOf(index, used, id, blobs);
    if (use.keep.length > 0) refuseDamaged(use, blobs, stored);
    plan.usedBytes += use.usedBytes;
    plan.unusedBytes += use.unusedBytes;
    if (use.keep.length === 0) {
      plan.drop.push(id);
      plan.freedBytes += stored.get(id) ?? 0;
    } else if (use.unusedBytes > 0) partly.push(use);
    else plan.keptPacks += 1;
  }
  chooseRepacks(plan, partly, settings);
  return plan;
}

/** Of several copies of a blob one is needed: the first in the index, which is the one that was marked. */
function useOf(
  index: BlobIndex,
  used: EntrySet,
  packId: string,
  blobs: readonly PackedBlob[],
): PackUse {
  const use: PackUse = { packId, keep: [], usedBytes: 0, unusedBytes: 0 };
  for (const blob of blobs) {
    const first = index.entryOf(blob.type, blob.id);
    const chosen = used.has(first) ? index.locationOf(first) : undefined;
    if (chosen?.packId === packId && chosen.offset === blob.offset) {
      use.keep.push(blob);
      use.usedBytes += blob.length;
    } else use.unusedBytes += blob.length;
  }
  return use;
}

function refuseDamaged(use: PackUse, blobs: readonly PackedBlob[], stored: StoredPacks): void {
  const problem = packProblem(use.packId, blobs, stored);
  if (problem) throw errors.usedBlobMissing([use.keep.length, problem.what]);
}

/** The emptiest first: they free the most for what has to be written. */
function chooseRepacks(plan: PrunePlan, partly: PackUse[], { maxUnused }: PruneSettings): void {
  const share = (use: PackUse) => use.unusedBytes / (use.usedBytes + use.unusedBytes);
  partly.sort((a, b) => share(b) - share(a));
  let unusedLeft = partly.reduce((sum, use) => sum + use.unusedBytes, 0);
  for (const use of partly) {
    if (unusedLeft <= plan.usedBytes * maxUnused) {
      plan.keptPacks += 1;
      continue;
    }
    unusedLeft -= use.unusedBytes;
    plan.repack.push({ packId: use.packId, keep: use.keep });
    plan.repackedBytes += use.usedBytes;
    plan.freedBytes += use.unusedBytes;
  }
}
