/** The part of a check that reads every byte. */
import { HoldfastError, messageOf, type ProgressListener } from '#base';
import { inLanes } from '../in-lanes.ts';
import type { Repository } from '../repository.ts';
import { blobKey } from './affected.ts';

const PACKS_AT_ONCE = 4;

export type PackReader = {
  onPack: (sizeBytes: number) => void;
  /** `damaged`: keys of blobs of which no copy is left whole. */
  onProblem: (packId: string, problems: string[], damaged: string[]) => void;
};

/** Packs are read whole, a few at once, and verified in worker threads. */
export async function readAllPacks(
  repository: Repository,
  packSizes: ReadonlyMap<string, number>,
  signal: AbortSignal,
  progress: ProgressListener,
  reader: PackReader,
): Promise<void> {
  const totalBytes = [...packSizes.values()].reduce((sum, size) => sum + size, 0);
  let doneBytes = 0;
  const damage: DamagedCopies = new Map();
  await inLanes(packSizes, PACKS_AT_ONCE, async ([packId, sizeBytes]) => {
    signal.throwIfAborted();
    await readPack(repository, packId, sizeBytes, damage, reader);
    doneBytes += sizeBytes;
    progress({ step: 'reading packs', doneBytes, totalBytes });
  });
}

async function readPack(
  repository: Repository,
  packId: string,
  sizeBytes: number,
  damage: DamagedCopies,
  reader: PackReader,
): Promise<void> {
  try {
    const { problems, damagedBlobs } = await repository.verifyPack(packId);
    reader.onPack(sizeBytes);
    // A pack that no index knows yet may be half a writer's: only what is indexed can be lost.
    if (problems.length === 0 || !repository.index.hasPack(packId)) return;
    reader.onProblem(packId, problems, lostOf(repository, packId, new Set(damagedBlobs), damage));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const indexed = repository.index.hasPack(packId);
    if (indexed) reader.onProblem(packId, [messageOf(error)], []);
  }
}

/** How many copies of a blob were found damaged. */
type DamagedCopies = Map<string, number>;

function lostOf(
  repository: Repository,
  packId: string,
  damaged: ReadonlySet<string>,
  damage: DamagedCopies,
): string[] {
  const { index } = repository;
  const lost: string[] = [];
  for (const { type, id } of index.packContents(packId)) {
    const idHex = Buffer.from(id).toString('hex');
    if (!damaged.has(idHex)) continue;
    const key = blobKey(type, idHex);
    const copies = (damage.get(key) ?? 0) + 1;
    damage.set(key, copies);
    if (copies >= index.lookupAll(type, id).length) lost.push(key);
  }
  return lost;
}

/** Not sealed: second copies and parity are held against what they are copies and parity of. */
const UNSEALED = ['copies/', 'parity/'];

/** Everything under `holdfast/` that is sealed. Resolves to how many files were read. */
export async function readOwnFiles(
  repository: Repository,
  signal: AbortSignal,
  onDamaged: (name: string, error: HoldfastError) => void,
): Promise<number> {
  let count = 0;
  for (const name of await repository.sealed.list('')) {
    signal.throwIfAborted();
    if (UNSEALED.some((folder) => name.startsWith(folder))) continue;
    try {
      await repository.sealed.readIfThere(name);
      count += 1;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      onDamaged(`holdfast/${name}`, error);
    }
  }
  return count;
}
