/** Packs as the indexes tell of them against the files that are there. */
import { SEAL_OVERHEAD_BYTES } from '../crypto/sealer.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import { idOfName } from '../names.ts';
import { headerEntryBytes, type PackedBlob } from '../pack/header.ts';
import type { Repository } from '../repository.ts';
import type { Storage } from '../storage/storage.ts';
import type { CheckProblem } from './problems.ts';

/** The header's seal, and the length behind it. */
const FRAME_BYTES = SEAL_OVERHEAD_BYTES + 4;

export type StoredPacks = Map<string, number>;

/** Sizes of all files under `data/` by their ids. */
export async function storedPacks(storage: Storage): Promise<StoredPacks> {
  const packs: StoredPacks = new Map();
  for await (const { name, sizeBytes } of storage.list('data/')) {
    const id = idOfName(name);
    if (id !== undefined) packs.set(id, sizeBytes);
  }
  return packs;
}

/** What a pack with these blobs takes, to the byte. */
export function packSizeBytes(blobs: readonly PackedBlob[]): number {
  let size = FRAME_BYTES;
  for (const { compressed, length } of blobs) size += headerEntryBytes(compressed) + length;
  return size;
}

/** The same of what an index tells of a pack, without an object for each blob. */
function indexedSizeBytes(index: BlobIndex, packId: string): number {
  let size = FRAME_BYTES;
  for (const { first, count } of index.runsOf(index.packNumber(packId))) {
    for (let entry = first; entry < first + count; entry += 1) {
      size += headerEntryBytes(index.isCompressed(entry)) + index.lengthOf(entry);
    }
  }
  return size;
}

/** Of a pack that the index knows. Undefined where it is there with the size that its blobs add up to. */
export function packProblem(
  index: BlobIndex,
  packId: string,
  stored: StoredPacks,
): CheckProblem | undefined {
  const size = stored.get(packId);
  if (size === undefined) {
    return { kind: 'pack-missing', id: packId, what: `pack ${packId} is not there` };
  }
  const expected = indexedSizeBytes(index, packId);
  if (size === expected) return undefined;
  const what = `pack ${packId} is ${size} bytes long and not ${expected}`;
  return { kind: 'pack-damaged', id: packId, what };
}

export function packProblems(index: BlobIndex, stored: StoredPacks): CheckProblem[] {
  const problems: CheckProblem[] = [];
  for (const id of index.packIds()) {
    const problem = packProblem(index, id, stored);
    if (problem) problems.push(problem);
  }
  return problems;
}

/** Brings it back by its parity: undefined then, else the problem that is left. */
export async function mendPackFor(
  repository: Repository,
  problem: CheckProblem,
): Promise<CheckProblem | undefined> {
  const mend = await repository.parity.mend(problem.id, 'check');
  switch (mend.outcome) {
    case 'mended':
      if (mend.unwritten === undefined) return undefined;
      return {
        ...problem,
        what: `${problem.what}; ${mend.what}, but could not be stored: ${mend.unwritten}`,
      };
    case 'beyond':
      return { ...problem, what: `${problem.what}; ${mend.why}` };
    case 'whole':
      return undefined;
    case 'no-parity':
      return problem;
  }
}
