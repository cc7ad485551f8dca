/** Is everything there that snapshots need, and is it whole? What is wrong is named; nothing is changed. */
import { HoldfastError, type ProgressListener, silent } from '#base';
import { readIndexFile } from '../index/load-index.ts';
import { readKeyFile } from '../keys/key-file.ts';
import { keyIds } from '../keys/keys.ts';
import { reachableBlobs } from '../reachable-blobs.ts';
import type { Repository } from '../repository.ts';
import type { Snapshot } from '../snapshots/snapshot-json.ts';
import { affectedFiles, blobKey } from './affected.ts';
import { packProblems, storedPacks } from './packs.ts';
import type { CheckProblem, CheckReport } from './problems.ts';
import { readAllPacks, readOwnFiles } from './read-data.ts';

export type CheckOptions = {
  /** Read every byte, too: packs against their hashes, blobs against theirs, Holdfast's own files. */
  readData?: boolean;
  /** How long to wait where somebody else holds the repository. Default 0: refused at once. */
  lockWaitMs?: number;
  signal?: AbortSignal;
  progress?: ProgressListener;
};

/** Under a shared lock: writers may go on, prune may not. Loads the index; throws where no lock is to be had. */
export async function checkRepository(
  repository: Repository,
  options: CheckOptions = {},
): Promise<CheckReport> {
  const lock = await repository.lock('shared', { waitMs: options.lockWaitMs ?? 0 });
  const signal = options.signal ? AbortSignal.any([options.signal, lock.signal]) : lock.signal;
  try {
    return await new Check(repository, signal, options).run();
  } finally {
    await lock.release();
  }
}

class Check {
  readonly #repository: Repository;
  readonly #signal: AbortSignal;
  readonly #readData: boolean;
  readonly #progress: ProgressListener;
  readonly #lost = new Set<string>();
  readonly #report: CheckReport = {
    verdict: 'pass',
    problems: [],
    notes: [],
    affected: [],
    affectedCount: 0,
    checked: {
      snapshots: 0,
      indexes: 0,
      packs: 0,
      trees: 0,
      blobs: 0,
      readPacks: 0,
      readBytes: 0,
      ownFiles: 0,
    },
  };

  constructor(repository: Repository, signal: AbortSignal, options: CheckOptions) {
    this.#repository = repository;
    this.#signal = signal;
    this.#readData = options.readData ?? false;
    this.#progress = options.progress ?? silent;
  }

  async run(): Promise<CheckReport> {
    const report = this.#report;
    await this.#checkKeys();
    // Snapshots before indexes: what a listed snapshot needs is then in an index that is read.
    const snapshots = await this.#checkSnapshots();
    await this.#checkIndexes();
    const packSizes = await this.#checkPacks();
    if (this.#readData) await this.#checkData(packSizes);
    await this.#checkTrees(snapshots);
    if (this.#lost.size > 0) {
      this.#progress({ step: 'finding out which files are affected' });
      const affected = await affectedFiles(this.#repository, snapshots, this.#lost, this.#signal);
      report.affected = affected.files;
      report.affectedCount = affected.count;
    }
    report.verdict = report.problems.length > 0 ? 'fail' : 'pass';
    return report;
  }

  async #checkKeys(): Promise<void> {
    for (const id of await keyIds(this.#repository.storage)) {
      await this.#note('key-damaged', id, () => readKeyFile(this.#repository.storage, id));
    }
  }

  async #checkSnapshots(): Promise<Snapshot[]> {
    this.#progress({ step: 'reading snapshots' });
    const snapshots = await this.#repository.snapshots.list({}, (id, error) =>
      this.#add({ kind: 'snapshot-damaged', id, what: error.message }),
    );
    this.#report.checked.snapshots = snapshots.length;
    return snapshots;
  }

  async #checkIndexes(): Promise<void> {
    this.#progress({ step: 'reading indexes' });
    // Forgets what somebody else has pruned. What is damaged is met again below, file by file, and named.
    await this.#repository.loadIndex().catch((error: unknown) => {
      if (!(error instanceof HoldfastError)) throw error;
    });
    const { files, index } = this.#repository;
    const ids = await files.list('index');
    for (const id of ids) {
      this.#signal.throwIfAborted();
      await this.#note('index-damaged', id, () =>
        readIndexFile(files, id, (pack, list) => {
          if (list === 'packs') index.addPack(pack.id, pack.blobs);
        }),
      );
    }
    this.#report.checked.indexes = ids.length;
  }

  async #checkPacks(): Promise<Map<string, number>> {
    this.#progress({ step: 'looking for packs' });
    const stored = await storedPacks(this.#repository.storage);
    const { index } = this.#repository;
    this.#report.checked.packs = index.packCount;
    for (const problem of packProblems(index, stored)) {
      this.#add(problem);
      if (problem.kind === 'pack-missing') this.#loseAllOf(problem.id);
    }
    const orphans = [...stored.keys()].filter((id) => !index.hasPack(id));
    if (orphans.length > 0) {
      const example = (orphans[0] as string).slice(0, 8);
      this.#report.notes.push(
        `${orphans.length} packs are in no index (${example}…): left by interrupted writers, or an index is missing`,
      );
    }
    return stored;
  }

  async #checkData(packSizes: Map<string, number>): Promise<void> {
    await readAllPacks(this.#repository, packSizes, this.#signal, this.#progress, {
      onPack: (sizeBytes) => {
        this.#report.checked.readPacks += 1;
        this.#report.checked.readBytes += sizeBytes;
      },
      onProblem: (packId, problems, damaged) => {
        for (const what of problems) {
          const named = what.includes(packId) ? what : `pack ${packId}: ${what}`;
          this.#add({ kind: 'pack-damaged', id: packId, what: named });
        }
        for (const key of damaged) this.#lost.add(key);
      },
    });
    this.#report.checked.ownFiles = await readOwnFiles(
      this.#repository,
      this.#signal,
      (name, error) => this.#add({ kind: 'own-file-damaged', id: name, what: error.message }),
    );
  }

  async #checkTrees(snapshots: readonly Snapshot[]): Promise<void> {
    this.#progress({ step: 'walking trees' });
    const roots = new Set(snapshots.map(({ tree }) => tree));
    const reach = await reachableBlobs(this.#repository, roots, {
      signal: this.#signal,
      onTrees: (doneItems) => this.#progress({ step: 'walking trees', doneItems }),
    });
    this.#report.checked.trees = reach.trees;
    this.#report.checked.blobs = reach.used.count;
    for (const { type, id, error } of reach.lost) {
      const idHex = id.toString('hex');
      const kind = error.code === 'repository/blob-missing' ? 'blob-missing' : 'tree-damaged';
      this.#add({ kind, id: idHex, what: error.message });
      this.#lost.add(blobKey(type, idHex));
    }
  }

  #loseAllOf(packId: string): void {
    const { index } = this.#repository;
    for (const { type, id } of index.packContents(packId)) {
      const elsewhere = index.lookupAll(type, id).some((other) => other.packId !== packId);
      if (!elsewhere) this.#lost.add(blobKey(type, Buffer.from(id).toString('hex')));
    }
  }

  async #note(kind: CheckProblem['kind'], id: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      // Removed since it was listed, by its owner: nothing is wrong with that.
      if (error.code !== 'repository/not-in-storage') this.#add({ kind, id, what: error.message });
    }
  }

  #add(problem: CheckProblem): void {
    this.#report.problems.push(problem);
  }
}
