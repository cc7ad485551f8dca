/** Indexes made right again: from their second copies, and from the headers of the packs that no index tells of. */
import { type ProgressListener, silent } from '#base';
import { indexCopyHelps } from '../check/index-copies.ts';
import { packProblem, packSizeBytes, type StoredPacks, storedPacks } from '../check/packs.ts';
import { lostOriginals, restoreFromCopy } from '../copies/restore-copy.ts';
import { writeMissingCopies } from '../copies/write-missing.ts';
import { Sealer } from '../crypto/sealer.ts';
import { inLanes } from '../in-lanes.ts';
import { packName } from '../names.ts';
import type { IndexedPack, PackedBlob } from '../pack/header.ts';
import { openPackHeader } from '../pack/verify-pack.ts';
import type { Repository } from '../repository.ts';
import { isLoss } from './loss.ts';
import { type RepairOptions, underExclusiveLock } from './repair-options.ts';
import { replacePacks } from './replace-packs.ts';

const PACKS_AT_ONCE = 8;
/** Enough for the header of nearly every pack. */
const TAIL_BYTES = 64 * 1024;

export type IndexRepair = {
  dryRun: boolean;
  /** Index files that couldn't be read: written anew from their second copies, or given up. */
  restored: string[];
  unreadable: string[];
  /** Packs that no index told of, or told of wrongly, and that are told of now. */
  found: string[];
  /** Packs that indexes told of and that aren't there: told of no more. */
  missing: string[];
  /** Packs that are damaged so that their header can't be read: `repair packs` saves what is whole in them. */
  damaged: string[];
};

/**
 * Throws where no exclusive lock is to be had. Removes nothing but index files; what they told of packs that are there is
 * kept. May be interrupted and called again. `loadIndex` must be called afterwards.
 */
export function repairIndex(
  repository: Repository,
  options: RepairOptions = {},
): Promise<IndexRepair> {
  return underExclusiveLock(repository, options, (signal) =>
    repairIndexLocked(repository, signal, options),
  );
}

/** Leaves the repaired index loaded; in a dry run, as it would be. */
export async function repairIndexLocked(
  repository: Repository,
  signal: AbortSignal,
  options: RepairOptions,
): Promise<IndexRepair> {
  const progress = options.progress ?? silent;
  const repair: IndexRepair = {
    dryRun: options.dryRun ?? false,
    ...{ restored: [], unreadable: [], found: [], missing: [], damaged: [] },
  };
  progress({ step: 'reading indexes' });
  const stored = await storedPacks(repository.storage);
  await readOrRestore(repository, stored, repair);
  const fresh = await untoldPacks(repository, stored, repair, signal, progress);
  const { index } = repository;
  repair.missing = [...index.packIds()].filter((id) => !stored.has(id));
  const isNeeded =
    repair.unreadable.length > 0 || repair.found.length > 0 || repair.missing.length > 0;
  const gone = [...repair.missing, ...repair.found];
  if (repair.dryRun) pretend(repository, new Set(gone), fresh);
  else if (isNeeded) {
    progress({ step: 'writing indexes' });
    const { unreadable } = repair;
    await replacePacks(repository, { gone, fresh, removePacks: false, unreadable }, signal);
  }
  if (!repair.dryRun) {
    await writeMissingCopies(repository, signal);
    repository.dropIndex();
    await repository.loadIndex();
  }
  return repair;
}

/** The loaded index as it would be afterwards, for what a dry run looks at next. */
function pretend(
  repository: Repository,
  gone: ReadonlySet<string>,
  fresh: readonly IndexedPack[],
): void {
  const kept = [...repository.index.packs()].filter(({ id }) => !gone.has(id));
  repository.dropIndex();
  for (const { id, blobs } of [...kept, ...fresh]) repository.index.addPack(id, blobs);
}

/** Loads what can be read. A damaged file is restored from its copy, and so is one that is gone and needed. */
async function readOrRestore(
  repository: Repository,
  stored: StoredPacks,
  repair: IndexRepair,
): Promise<void> {
  const { files, index } = repository;
  for (const id of await files.list('index')) {
    try {
      index.addEntries(await repository.readIndexFile(id));
    } catch (error) {
      if (!isLoss(error)) throw error;
      repair.unreadable.push(id);
    }
  }
  const restorable = files.takeStandIns('index');
  for (const name of await lostOriginals(repository)) {
    if (!name.startsWith('index/')) continue;
    if (await indexCopyHelps(repository, idOf(name), stored)) restorable.push(name);
  }
  for (const name of restorable) {
    repair.restored.push(idOf(name));
    if (repair.dryRun || !(await restoreFromCopy(repository, name, 'repair'))) continue;
    index.addEntries(await repository.readIndexFile(idOf(name)));
  }
}

function idOf(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}

/** What the headers say of packs that no index tells of, or tells of with another size. */
async function untoldPacks(
  repository: Repository,
  stored: StoredPacks,
  repair: IndexRepair,
  signal: AbortSignal,
  progress: ProgressListener,
): Promise<IndexedPack[]> {
  const { index } = repository;
  const doubtful = [...stored].filter(
    ([id]) => !index.hasPack(id) || packProblem(index, id, stored),
  );
  const fresh: IndexedPack[] = [];
  let doneItems = 0;
  await inLanes(doubtful, PACKS_AT_ONCE, async ([id, sizeBytes]) => {
    signal.throwIfAborted();
    const blobs = await readHeader(repository, id, sizeBytes, repair.dryRun);
    if (blobs) {
      fresh.push({ id, blobs });
      repair.found.push(id);
    } else repair.damaged.push(id);
    doneItems += 1;
    progress({ step: 'reading headers of packs', doneItems, totalItems: doubtful.length });
  });
  repair.found.sort();
  repair.damaged.sort();
  return fresh;
}

/** Undefined where it can't be read, or doesn't fit the pack's size, and parity doesn't help. */
async function readHeader(
  repository: Repository,
  packId: string,
  sizeBytes: number,
  dryRun: boolean,
): Promise<PackedBlob[] | undefined> {
  const sealer = new Sealer(repository.masterKey);
  try {
    return soundHeader(
      openPackHeader(sealer, packId, await readTail(repository, packId, sizeBytes)),
      sizeBytes,
    );
  } catch (error) {
    if (!isLoss(error)) throw error;
    if (dryRun) return undefined;
    const mend = await repository.parity.mend(packId, 'repair');
    if (mend.outcome !== 'mended' && mend.outcome !== 'whole') return undefined;
    return openPackHeader(sealer, packId, mend.bytes);
  }
}

function soundHeader(blobs: PackedBlob[], sizeBytes: number): PackedBlob[] | undefined {
  return packSizeBytes(blobs) === sizeBytes ? blobs : undefined;
}

/** The end of the pack, with all of its header. */
async function readTail(
  { storage }: Repository,
  packId: string,
  sizeBytes: number,
): Promise<Buffer> {
  const read = (length: number) =>
    storage.read(packName(packId), { offset: sizeBytes - length, length });
  const tail = await read(Math.min(sizeBytes, TAIL_BYTES));
  const wanted = tail.length < 4 ? 0 : tail.readUInt32LE(tail.length - 4) + 4;
  return wanted > tail.length && wanted <= sizeBytes ? read(wanted) : tail;
}
