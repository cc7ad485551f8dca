/** What a prune would do, decided from the index and from what snapshots need: nothing is changed here. */
import { errors } from '../errors.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import type { BlobType } from '../names.ts';
import type { EntrySet } from '../reachable-blobs.ts';
import { type PacksInStorage, type PackUse, useOfPack } from './pack-use.ts';

export type PruneSettings = {
  /** Unused bytes that may stay, as a fraction of the used ones. 0 leaves none. */
  maxUnused: number;
};

export type PrunePlan = {
  /** Ids of packs that no index knows: left by interrupted writers, or of one that is writing. */
  unindexed: string[];
  /** Numbers of packs of which nothing is needed. */
  drop: number[];
  /** Numbers of packs whose needed blobs move into new packs. */
  repack: number[];
  keptPacks: number;
  usedBytes: number;
  unusedBytes: number;
  /** Bytes of packs that go, less those of blobs that are written anew. */
  freedBytes: number;
  repackedBytes: number;
};

/** Packs below a quarter of what a full one has are small; each capture leaves a few. */
const SMALL_PACK_BYTES = 4 * 1024 * 1024;
/** So many small ones of a kind are worth being written as one. */
const SMALL_PACKS_WORTH_MERGING = 8;

type Partly = Pick<PackUse, 'usedBytes' | 'unusedBytes'> & { number: number };

/** Throws `repository/used-blob-missing` where a pack with needed blobs isn't there whole. */
export function planPrune(
  index: BlobIndex,
  used: EntrySet,
  stored: PacksInStorage,
  settings: PruneSettings,
): PrunePlan {
  const plan: PrunePlan = {
    unindexed: stored.unindexed.map(({ id }) => id),
    drop: [],
    repack: [],
    keptPacks: 0,
    usedBytes: 0,
    unusedBytes: 0,
    freedBytes: stored.unindexed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    repackedBytes: 0,
  };
  const partly: Partly[] = [];
  const small: Record<BlobType, Partly[]> = { data: [], tree: [] };
  for (let number = 0; number < index.packCount; number += 1) {
    const use = useOfPack(index, used, number);
    const sizeBytes = stored.sizes[number] ?? 0;
    if (use.usedBlobs > 0) refuseDamaged(index, number, use, sizeBytes);
    plan.usedBytes += use.usedBytes;
    plan.unusedBytes += use.unusedBytes;
    const { usedBytes, unusedBytes } = use;
    if (use.usedBlobs === 0) {
      plan.drop.push(number);
      plan.freedBytes += sizeBytes;
    } else if (sizeBytes < SMALL_PACK_BYTES) {
      small[use.type].push({ number, usedBytes, unusedBytes });
    } else if (unusedBytes > 0) partly.push({ number, usedBytes, unusedBytes });
    else plan.keptPacks += 1;
  }
  chooseSmall(plan, partly, small);
  chooseRepacks(plan, partly, settings);
  return plan;
}

function refuseDamaged(index: BlobIndex, number: number, use: PackUse, sizeBytes: number): void {
  if (sizeBytes === use.sizeBytes) return;
  const pack = `pack ${index.packIdOf(number)}`;
  const what =
    sizeBytes === 0
      ? `${pack} is not there`
      : `${pack} is ${sizeBytes} bytes long and not ${use.sizeBytes}`;
  throw errors.usedBlobMissing([use.usedBlobs, what]);
}

/** Enough small ones of a kind are merged; fewer are looked at like any others. */
function chooseSmall(plan: PrunePlan, partly: Partly[], small: Record<BlobType, Partly[]>): void {
  for (const packs of Object.values(small)) {
    for (const pack of packs) {
      if (packs.length >= SMALL_PACKS_WORTH_MERGING) takeRepack(plan, pack);
      else if (pack.unusedBytes > 0) partly.push(pack);
      else plan.keptPacks += 1;
    }
  }
}

/** The emptiest first: they free the most for what has to be written. */
function chooseRepacks(plan: PrunePlan, partly: Partly[], { maxUnused }: PruneSettings): void {
  const share = (use: Partly) => use.unusedBytes / (use.usedBytes + use.unusedBytes);
  partly.sort((a, b) => share(b) - share(a));
  let unusedLeft = partly.reduce((sum, use) => sum + use.unusedBytes, 0);
  for (const use of partly) {
    if (unusedLeft <= plan.usedBytes * maxUnused) {
      plan.keptPacks += 1;
      continue;
    }
    unusedLeft -= use.unusedBytes;
    takeRepack(plan, use);
  }
}

function takeRepack(plan: PrunePlan, { number, usedBytes, unusedBytes }: Partly): void {
  plan.repack.push(number);
  plan.repackedBytes += usedBytes;
  plan.freedBytes += unusedBytes;
}
