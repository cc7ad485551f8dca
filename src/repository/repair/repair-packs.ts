/** Damaged packs: what is whole in them is saved into new ones, then they go. */
import { silent } from '#base';
import { blobKey } from '../check/affected.ts';
import { errors } from '../errors.ts';
import { inLanes } from '../in-lanes.ts';
import type { BlobType } from '../names.ts';
import type { PackedBlob } from '../pack/header.ts';
import { type PackToRepack, repack } from '../prune/repack.ts';
import type { Repository } from '../repository.ts';
import { isLoss } from './loss.ts';
import { type IndexRepair, repairIndexLocked } from './repair-index.ts';
import { type RepairOptions, underExclusiveLock } from './repair-options.ts';
import { replacePacks } from './replace-packs.ts';

const PACKS_AT_ONCE = 4;

export type PackRepair = {
  dryRun: boolean;
  /** What had to be done to the indexes before. */
  index: IndexRepair;
  read: number;
  /** Packs that parity brought back. */
  mended: string[];
  /** Packs that went, with what was saved of them into new ones. */
  replaced: { packId: string; saved: number; damaged: number }[];
  newPacks: number;
  /** Blobs of which no whole copy is left. */
  lost: { type: BlobType; id: string }[];
};

/**
 * `packIds`: which to look at (whole ids, or beginnings of them); without them every pack is read. The indexes are
 * repaired first. Throws `repository/pack-not-found`, and where no exclusive lock is to be had. May be interrupted and
 * called again.
 */
export function repairPacks(
  repository: Repository,
  packIds: readonly string[] = [],
  options: RepairOptions = {},
): Promise<PackRepair> {
  return underExclusiveLock(repository, options, async (signal) => {
    const index = await repairIndexLocked(repository, signal, options);
    const chosen = choosePacks(repository, packIds);
    const repair: PackRepair = {
      ...{ dryRun: index.dryRun, index, read: chosen.length },
      ...{ mended: [], replaced: [], newPacks: 0, lost: [] },
    };
    const damaged = await findDamaged(repository, chosen, repair, signal, options);
    repair.lost = lostBlobs(repository, damaged);
    if (!repair.dryRun && damaged.length > 0) await replace(repository, damaged, repair, signal);
    repair.replaced = damaged.map(({ packId, keep, broken }) => ({
      packId,
      saved: keep.length,
      damaged: broken.length,
    }));
    return repair;
  });
}

type DamagedPack = { packId: string; keep: PackedBlob[]; broken: PackedBlob[] };

function choosePacks({ index }: Repository, wanted: readonly string[]): string[] {
  const known = [...index.packIds()];
  if (wanted.length === 0) return known;
  const matching = (what: string) => known.filter((id) => id.startsWith(what.toLowerCase()));
  for (const what of wanted) {
    const [first, second] = matching(what);
    if (first === undefined || second !== undefined) throw errors.packNotFound([what]);
  }
  return wanted.flatMap(matching);
}

async function findDamaged(
  repository: Repository,
  packIds: readonly string[],
  repair: PackRepair,
  signal: AbortSignal,
  { progress = silent }: RepairOptions,
): Promise<DamagedPack[]> {
  const found: DamagedPack[] = [];
  let doneItems = 0;
  await inLanes(packIds, PACKS_AT_ONCE, async (packId) => {
    signal.throwIfAborted();
    const damaged = await damageOf(repository, packId);
    if (damaged && (await isMended(repository, packId, repair.dryRun))) repair.mended.push(packId);
    else if (damaged) found.push(damaged);
    doneItems += 1;
    progress({ step: 'reading packs', doneItems, totalItems: packIds.length });
  });
  // They come as they were read; what is told has an order of its own.
  repair.mended.sort();
  return found.sort((a, b) => (a.packId < b.packId ? -1 : 1));
}

async function isMended({ parity }: Repository, packId: string, dryRun: boolean): Promise<boolean> {
  if (dryRun) return parity.canMend(packId);
  const mend = await parity.mend(packId, 'repair');
  if (mend.outcome === 'mended') return mend.unwritten === undefined;
  return mend.outcome === 'whole';
}

/** Undefined where the pack is whole. */
async function damageOf(repository: Repository, packId: string): Promise<DamagedPack | undefined> {
  const blobs = repository.index.packContents(packId);
  try {
    const { problems, damagedBlobs } = await repository.verifyPack(packId);
    if (problems.length === 0) return undefined;
    const damaged = new Set(damagedBlobs);
    const isBroken = ({ id }: PackedBlob) => damaged.has(Buffer.from(id).toString('hex'));
    return {
      packId,
      keep: blobs.filter((blob) => !isBroken(blob)),
      broken: blobs.filter(isBroken),
    };
  } catch (error) {
    if (!isLoss(error)) throw error;
    return { packId, keep: [], broken: blobs };
  }
}

function lostBlobs({ index }: Repository, damaged: readonly DamagedPack[]): PackRepair['lost'] {
  const broken = new Set<string>();
  const keyIn = (packId: string, blob: PackedBlob) =>
    `${packId} ${blobKey(blob.type, Buffer.from(blob.id).toString('hex'))}`;
  for (const { packId, broken: blobs } of damaged) {
    for (const blob of blobs) broken.add(keyIn(packId, blob));
  }
  const lost = new Map<string, PackRepair['lost'][number]>();
  for (const { broken: blobs } of damaged) {
    for (const { type, id } of blobs) {
      const isWhole = index
        .lookupAll(type, id)
        .some((copy) => !broken.has(keyIn(copy.packId, copy)));
      const hex = Buffer.from(id).toString('hex');
      if (!isWhole) lost.set(blobKey(type, hex), { type, id: hex });
    }
  }
  return [...lost.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

async function replace(
  repository: Repository,
  damaged: readonly DamagedPack[],
  repair: PackRepair,
  signal: AbortSignal,
): Promise<void> {
  const moves: PackToRepack[] = damaged.map(({ packId, keep }) => ({ packId, keep }));
  const fresh = await repack(repository, moves, { signal, onPack: () => {} });
  const gone = damaged.map(({ packId }) => packId);
  await replacePacks(repository, { gone, fresh, removePacks: true }, signal);
  repair.newPacks = fresh.length;
}
