/** The part of a check that reads every byte, or those whose turn it is. */
import { formatCounted, HoldfastError, messageOf, type ProgressListener, systemClock } from '#base';
import { Rooms } from '../blobs/rooms.ts';
import { checkCopies } from '../copies/check-copies.ts';
import { inLanes } from '../in-lanes.ts';
import { parityName, storedParity } from '../parity/parity-names.ts';
import type { Repository } from '../repository.ts';
import type { TreeLinks } from '../tree-links.ts';
import { blobKey } from './affected.ts';
import type { StoredPacks } from './packs.ts';
import type { CheckProblem, CheckReport, MendedFile } from './problems.ts';
import { type ReadUnit, readableUnits } from './read-units.ts';
import { loadReadings, noteReadings } from './rotation.ts';
import { type ReadSelection, select } from './selection.ts';

const FILES_AT_ONCE = 4;

/** Longer files are read alone: several at once would take too much memory. */
const LARGE_FILE_BYTES = 256 * 1024 * 1024;

export type DataListener = {
  signal: AbortSignal;
  progress: ProgressListener;
  add: (problem: CheckProblem) => void;
  mended: (file: MendedFile) => void;
  note: (note: string) => void;
  /** A blob of which no copy is left whole. */
  lose: (key: string) => void;
  /** Get what the trees lead to that are read. */
  links: TreeLinks;
  /** Called once: the packs of trees are done, those of data come now. */
  onTreesRead: () => void;
};

export type DataRead = Pick<
  CheckReport['checked'],
  'readPacks' | 'readBytes' | 'ownFiles' | 'totalBytes' | 'copies' | 'parity'
>;

/** Files are read whole, a few at once, and verified in worker threads. What was read is noted for the rotation. */
export async function readData(
  repository: Repository,
  selection: ReadSelection,
  packs: StoredPacks,
  listener: DataListener,
): Promise<DataRead> {
  const units = await readableUnits(repository.storage, packs);
  const readings = await loadReadings(repository);
  const chosen = select(selection, units, readings, systemClock.nowMs());
  const reading = new Reading(repository, await storedParity(repository.storage), listener);
  await reading.readAll(chosen, units);
  if (selection.kind === 'all' || selection.kind === 'rotation') {
    const copies = await checkCopies(repository, listener.signal, listener.mended);
    reading.read.copies = copies.read;
    noteMade(listener, 'file', copies.made, 'had no second copy, which was written now');
  }
  // A repository that holds nothing of ours isn't changed by being read once.
  const isOurs = selection.kind !== 'all' || units.some(({ packId }) => packId === undefined);
  if (isOurs && reading.wholeKeys.size > 0)
    await noteReadings(repository, units, reading.wholeKeys);
  return reading.read;
}

class Reading {
  readonly #repository: Repository;
  readonly #parity: ReadonlyMap<string, number>;
  readonly #listener: DataListener;
  readonly #damage: DamagedCopies = new Map();
  readonly #newParity: string[] = [];
  readonly #rooms = new Rooms();
  /** Units that were read and are as they should be. */
  readonly wholeKeys = new Set<string>();
  readonly read: DataRead = {
    ...{ readPacks: 0, readBytes: 0, ownFiles: 0, totalBytes: 0, copies: 0, parity: 0 },
  };

  constructor(repository: Repository, parity: ReadonlyMap<string, number>, listener: DataListener) {
    this.#repository = repository;
    this.#parity = parity;
    this.#listener = listener;
  }

  async readAll(chosen: readonly ReadUnit[], all: readonly ReadUnit[]): Promise<void> {
    const { signal, progress, onTreesRead } = this.#listener;
    const totalBytes = sumOf(chosen);
    this.read.totalBytes = sumOf(all);
    let doneBytes = 0;
    const { trees, small, large } = this.#grouped(chosen);
    const treesLeft = new Set(trees);
    const readOne = async (unit: ReadUnit) => {
      signal.throwIfAborted();
      if (unit.packId !== undefined) await this.#readPack(unit, unit.packId);
      else await this.#readOwnFile(unit);
      doneBytes += unit.sizeBytes;
      progress({ step: 'reading packs', doneBytes, totalBytes });
      if (treesLeft.delete(unit) && treesLeft.size === 0) onTreesRead();
    };
    if (treesLeft.size === 0) onTreesRead();
    // Beside the last packs of trees those of data are read: no thread waits for them.
    await inLanes([...trees, ...small], FILES_AT_ONCE, readOne);
    await inLanes(large, 1, readOne);
    noteMade(this.#listener, 'pack', this.#newParity, 'had no parity, which was made now');
  }

  #grouped(units: readonly ReadUnit[]): Record<'trees' | 'small' | 'large', ReadUnit[]> {
    const groups = { trees: [] as ReadUnit[], small: [] as ReadUnit[], large: [] as ReadUnit[] };
    const { index } = this.#repository;
    for (const unit of units) {
      if (unit.packId !== undefined && index.beginsWithTree(unit.packId)) groups.trees.push(unit);
      else if (unit.sizeBytes > LARGE_FILE_BYTES) groups.large.push(unit);
      else groups.small.push(unit);
    }
    return groups;
  }

  async #readPack(unit: ReadUnit, packId: string): Promise<void> {
    const { index } = this.#repository;
    try {
      const { problems, damagedBlobs } = await this.#repository.verifyPack(packId, {
        rooms: this.#rooms,
        // Of a pack of data there are none, for nearly all programs keep both apart.
        links: index.beginsWithTree(packId) ? this.#listener.links : undefined,
      });
      this.read.readPacks += 1;
      this.read.readBytes += unit.sizeBytes;
      if (problems.length === 0) {
        this.wholeKeys.add(unit.key);
        await this.#checkParity(packId);
      } else if (index.hasPack(packId)) {
        // A pack that no index knows yet may be half a writer's: only what is indexed can be lost.
        await this.#mendOrName(unit, packId, problems, damagedBlobs);
      }
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      if (index.hasPack(packId)) this.#name(packId, messageOf(error));
    }
  }

  async #mendOrName(
    unit: ReadUnit,
    packId: string,
    problems: readonly string[],
    damagedBlobs: readonly string[],
  ): Promise<void> {
    const mend = await this.#repository.parity.mend(packId, 'check');
    if (mend.outcome === 'whole' || (mend.outcome === 'mended' && mend.unwritten === undefined)) {
      this.wholeKeys.add(unit.key);
      return;
    }
    for (const what of problems) this.#name(packId, what);
    if (mend.outcome === 'beyond') this.#name(packId, mend.why);
    if (mend.outcome === 'mended') {
      this.#name(packId, `${mend.what}, but it could not be stored: ${mend.unwritten}`);
      return;
    }
    for (const key of lostOf(this.#repository, packId, new Set(damagedBlobs), this.#damage)) {
      this.#listener.lose(key);
    }
  }

  #name(packId: string, what: string): void {
    const named = what.includes(packId) ? what : `pack ${packId}: ${what}`;
    this.#listener.add({ kind: 'pack-damaged', id: packId, what: named });
  }

  /** Of a whole pack: a damaged sidecar is made anew, and a missing one where there should be one. */
  async #checkParity(packId: string): Promise<void> {
    const { parity } = this.#repository;
    if (this.#parity.has(packId)) {
      this.read.parity += 1;
      if ((await parity.isWhole(packId)) !== false) return;
      await parity.writeFor(packId);
      this.#listener.mended({ name: parityName(packId), what: 'made anew from its pack' });
    } else if ((await parity.setting()).on) {
      await parity.writeFor(packId);
      this.#newParity.push(packId);
    }
  }

  async #readOwnFile(unit: ReadUnit): Promise<void> {
    try {
      await this.#repository.sealed.readIfThere(unit.name.slice('holdfast/'.length));
      this.read.ownFiles += 1;
      this.read.readBytes += unit.sizeBytes;
      this.wholeKeys.add(unit.key);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#listener.add({ kind: 'own-file-damaged', id: unit.name, what: error.message });
    }
  }
}

function noteMade(
  listener: DataListener,
  noun: string,
  made: readonly string[],
  what: string,
): void {
  const [first] = made;
  if (first === undefined) return;
  const others = made.length > 1 ? ' and others' : '';
  listener.note(`${formatCounted(made.length, noun)} ${what} (${first}${others})`);
}

function sumOf(units: readonly ReadUnit[]): number {
  return units.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
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
