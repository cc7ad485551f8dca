/** Which of the marked packs may still go, and what of them must be moved before: decided anew at each sweep. */
import type { BlobIndex } from '../index/blob-index.ts';
import type { PackedBlob } from '../pack/header.ts';
import { EntrySet } from '../reachable-blobs.ts';
import { isBitSet, type PruneMark } from './prune-mark.ts';
import type { PackToRepack } from './repack.ts';

export type GoingPacks = {
  /** By pack number. */
  going: EntrySet;
  /** Numbers of those whose needed blobs move. */
  repack: number[];
  /** Marked packs that no index tells of (any more). */
  unindexed: string[];
};

/**
 * `late`: first entries of what snapshots since the mark need. A pack of which nothing was needed then, and of which
 * something is needed now that lies nowhere else, stays.
 */
export function goingPacks(index: BlobIndex, mark: PruneMark, late: EntrySet): GoingPacks {
  const found: GoingPacks = {
    going: new EntrySet(index.packCount),
    repack: [],
    unindexed: [...mark.unindexed].filter((id) => !index.hasPack(id)),
  };
  const drop: number[] = [];
  const note = (id: string, numbers: number[]) => {
    const number = index.packNumber(id);
    if (number < 0) found.unindexed.push(id);
    else if (found.going.add(number)) numbers.push(number);
  };
  for (const id of mark.drop) note(id, drop);
  for (const { id } of mark.repack) note(id, found.repack);
  for (const number of drop) {
    if (neededEntries(index, number, late, found.going).next().value !== undefined) {
      found.going.remove(number);
    }
  }
  return found;
}

/** Entries of a pack that are needed, and of which no pack that stays has a copy. */
export function* neededEntries(
  index: BlobIndex,
  packNumber: number,
  late: EntrySet,
  going: EntrySet,
): Generator<number, undefined> {
  for (const { first, count } of index.runsOf(packNumber)) {
    for (let entry = first; entry < first + count; entry += 1) {
      if (late.has(index.firstCopyOf(entry)) && !staysElsewhere(index, entry, going)) yield entry;
    }
  }
  return undefined;
}

function staysElsewhere(index: BlobIndex, entry: number, going: EntrySet): boolean {
  return index.copiesOf(entry).some((copy) => !going.has(index.packNumberOf(copy)));
}

/**
 * What moves out of the packs that are written anew: all that was used at the mark or is used now and has no copy in a
 * pack that stays, each blob once.
 */
export function* movesOf(
  index: BlobIndex,
  mark: PruneMark,
  { going }: GoingPacks,
  late: EntrySet,
): Iterable<PackToRepack> {
  const moved = new EntrySet(index.blobCount);
  for (const { id, unused } of mark.repack) {
    const number = index.packNumber(id);
    if (number < 0 || !going.has(number)) continue;
    const keep = index.contentsOf(number).filter((blob: PackedBlob, at) => {
      const first = index.entryOf(blob.type, blob.id);
      const isNeeded = !isBitSet(unused, at) || late.has(first);
      return isNeeded && !staysElsewhere(index, first, going) && moved.add(first);
    });
    yield { packId: id, keep };
  }
}
