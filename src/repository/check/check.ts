/**
 * Is everything there that snapshots need, and is it whole? What is wrong is named; what parity or a second copy can
 * bring back is mended at once, and named too. Nothing else is changed.
 */
import { HoldfastError, type ProgressListener, silent } from '#base';
import { CONFIG_NAME, parseConfig } from '../config.ts';
import { lostOriginals } from '../copies/restore-copy.ts';
import { wholeOriginal } from '../copies/write-missing.ts';
import { Sealer } from '../crypto/sealer.ts';
import { readIndexFile } from '../index/load-index.ts';
import { readKeyFile } from '../keys/key-file.ts';
import { keyIds } from '../keys/keys.ts';
import { reachableBlobs } from '../reachable-blobs.ts';
import { thinMends } from '../records/mends.ts';
import type { Repository } from '../repository.ts';
import { FORMAT_NAME } from '../sealed/own-format.ts';
import type { Snapshot } from '../snapshots/snapshot-json.ts';
import { TreeLinks } from '../tree-links.ts';
import { affectedFiles, blobKey } from './affected.ts';
import { Findings } from './findings.ts';
import { indexCopyHelps } from './index-copies.ts';
import { checkJournals } from './journals.ts';
import { mendPackFor, packProblems, storedPacks } from './packs.ts';
import type { CheckReport } from './problems.ts';
import { readData } from './read-data.ts';
import type { ReadSelection } from './selection.ts';

/** Notes of what was mended: of a disk that fails they are many, and the newest tell enough. */
const MENDS_KEPT = 1_000;

export type CheckOptions = {
  /** Read every byte, too: packs against their hashes, blobs against theirs, Holdfast's own files. */
  readData?: boolean;
  /** Read a part; what was read when is noted in the repository. */
  read?: ReadSelection;
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
  // They take as long to begin as what comes before they are needed.
  if (options.readData || options.read) repository.startThreads();
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
  readonly #selection: ReadSelection | undefined;
  readonly #progress: ProgressListener;
  readonly #findings: Findings;

  constructor(repository: Repository, signal: AbortSignal, options: CheckOptions) {
    this.#repository = repository;
    this.#findings = new Findings(repository);
    this.#signal = signal;
    this.#selection = options.readData ? { kind: 'all' } : options.read;
    this.#progress = options.progress ?? silent;
  }

  async run(): Promise<CheckReport> {
    const report = this.#findings.report;
    const mendedBefore = this.#repository.parity.mends.length;
    await this.#checkConfig();
    await this.#checkFormat();
    await this.#checkKeys();
    // Snapshots before indexes: what a listed snapshot needs is then in an index that is read.
    const snapshots = await this.#checkSnapshots();
    await this.#checkIndexes();
    await this.#checkLostOriginals();
    const packSizes = await this.#checkPacks();
    if (this.#selection) await this.#checkDataAndTrees(this.#selection, packSizes, snapshots);
    else await this.#checkTrees(snapshots, this.#progress);
    await this.#checkJournals();
    for (const { name, what } of this.#repository.parity.mends.slice(mendedBefore)) {
      report.mended.push({ name, what });
    }
    await thinMends(this.#repository, MENDS_KEPT);
    if (this.#findings.lost.size > 0) {
      this.#progress({ step: 'finding out which files are affected' });
      const affected = await affectedFiles(
        this.#repository,
        snapshots,
        this.#findings.lost,
        this.#signal,
      );
      report.affected = affected.files;
      report.affectedCount = affected.count;
    }
    report.verdict = report.problems.length > 0 ? 'fail' : 'pass';
    return report;
  }

  async #checkConfig(): Promise<void> {
    const { storage, masterKey } = this.#repository;
    const sealer = new Sealer(masterKey);
    try {
      parseConfig(storage, sealer, await storage.read(CONFIG_NAME));
    } catch (error) {
      await this.#findings.restoreOrName('config-damaged', CONFIG_NAME, CONFIG_NAME, error);
    }
  }

  /** Damage to it is named by whoever reads own files; absent, it is written anew before the next of them. */
  async #checkFormat(): Promise<void> {
    if (await wholeOriginal(this.#repository, FORMAT_NAME)) return;
    await this.#findings.restore(FORMAT_NAME);
  }

  async #checkKeys(): Promise<void> {
    const { storage } = this.#repository;
    const ids = await keyIds(storage);
    let whole = 0;
    for (const id of ids) {
      await this.#findings.verify('key-damaged', `keys/${id}`, id, async () => {
        await readKeyFile(storage, id);
      });
      if (!this.#findings.report.problems.some((problem) => problem.id === id)) whole += 1;
    }
    if (whole > 0) return;
    // Nobody but us could open it any more: no key was taken away from anybody.
    for (const name of await lostOriginals(this.#repository)) {
      if (name.startsWith('keys/')) await this.#findings.restore(name);
    }
  }

  async #checkSnapshots(): Promise<Snapshot[]> {
    this.#progress({ step: 'reading snapshots' });
    const damaged = new Map<string, HoldfastError>();
    const snapshots = await this.#repository.snapshots.list({}, (id, error) => {
      damaged.set(id, error);
    });
    for (const [id, error] of damaged) {
      this.#findings.add({ kind: 'snapshot-damaged', id, what: error.message });
    }
    await this.#findings.restoreStandIns('snapshots');
    this.#findings.report.checked.snapshots = snapshots.length;
    return snapshots;
  }

  async #checkIndexes(): Promise<void> {
    this.#progress({ step: 'reading indexes' });
    // Forgets what somebody else has pruned. What is damaged is met again below, file by file, and named.
    await this.#repository.loadIndex().catch((error: unknown) => {
      if (!(error instanceof HoldfastError)) throw error;
    });
    const { files, justReadIndexFileIds } = this.#repository;
    const ids = await files.list('index');
    for (const id of ids) {
      this.#signal.throwIfAborted();
      if (justReadIndexFileIds.has(id)) continue;
      await this.#findings.verify('index-damaged', `index/${id}`, id, () => this.#addIndex(id));
    }
    await this.#findings.restoreStandIns('index');
    this.#findings.report.checked.indexes = ids.length;
  }

  async #addIndex(id: string): Promise<void> {
    const { files, index } = this.#repository;
    await readIndexFile(files, id, (pack, list) => {
      if (list === 'packs') index.addPack(pack.id, pack.blobs);
    });
  }

  /** Copies whose originals are gone. An index that is needed comes back; a snapshot may have been forgotten by restic. */
  async #checkLostOriginals(): Promise<void> {
    const lost = await lostOriginals(this.#repository);
    const stored = lost.length > 0 ? await storedPacks(this.#repository.storage) : new Map();
    for (const name of lost.filter((candidate) => candidate.startsWith('index/'))) {
      const id = name.slice('index/'.length);
      const helps = await indexCopyHelps(this.#repository, id, stored);
      if (helps && (await this.#findings.restore(name))) await this.#addIndex(id);
    }
    const snapshots = lost.filter((name) => name.startsWith('snapshots/'));
    const [first] = snapshots;
    if (first === undefined) return;
    this.#findings.report.notes.push(
      `${snapshots.length} snapshots are gone, though their second copies are there (${first.slice(10, 18)}…): forgotten by another program, or lost. \`holdfast repo repair snapshots --bring-back\` brings them back`,
    );
  }

  async #checkPacks(): Promise<Map<string, number>> {
    this.#progress({ step: 'looking for packs' });
    const stored = await storedPacks(this.#repository.storage);
    const { index } = this.#repository;
    this.#findings.report.checked.packs = index.packCount;
    for (const problem of packProblems(index, stored)) {
      this.#signal.throwIfAborted();
      const left = await mendPackFor(this.#repository, problem);
      if (!left) continue;
      this.#findings.add(left);
      if (problem.kind === 'pack-missing') this.#findings.loseAllOf(problem.id);
    }
    const orphans = [...stored.keys()].filter((id) => !index.hasPack(id));
    if (orphans.length > 0) {
      const example = (orphans[0] as string).slice(0, 8);
      this.#findings.report.notes.push(
        `${orphans.length} packs are in no index (${example}…): left by interrupted writers, or an index is missing`,
      );
    }
    return stored;
  }

  /** The trees are walked here while threads verify the packs of data, once those of trees are whole or named. */
  async #checkDataAndTrees(
    selection: ReadSelection,
    packSizes: Map<string, number>,
    snapshots: readonly Snapshot[],
  ): Promise<void> {
    let trees: Promise<{ error?: unknown }> | undefined;
    const links = new TreeLinks(this.#repository.index);
    const begin = () => {
      trees = this.#checkTrees(snapshots, silent, links).then(
        () => ({}),
        (error) => ({ error }),
      );
    };
    let walked: { error?: unknown } | undefined;
    try {
      await this.#checkData(selection, packSizes, links, begin);
    } finally {
      // Nothing goes on after the lock is released.
      walked = await trees;
    }
    if (walked && 'error' in walked) throw walked.error;
  }

  async #checkData(
    selection: ReadSelection,
    packSizes: Map<string, number>,
    links: TreeLinks,
    onTreesRead: () => void,
  ): Promise<void> {
    const { checked } = this.#findings.report;
    const read = await readData(this.#repository, selection, packSizes, {
      signal: this.#signal,
      progress: this.#progress,
      add: (problem) => this.#findings.add(problem),
      mended: (file) => this.#findings.report.mended.push(file),
      note: (note) => this.#findings.report.notes.push(note),
      lose: (key) => this.#findings.lost.add(key),
      links,
      onTreesRead,
    });
    Object.assign(checked, read);
  }

  async #checkTrees(
    snapshots: readonly Snapshot[],
    progress: ProgressListener,
    links?: TreeLinks,
  ): Promise<void> {
    progress({ step: 'walking trees' });
    const roots = new Set(snapshots.map(({ tree }) => tree));
    const reach = await reachableBlobs(this.#repository, roots, {
      signal: this.#signal,
      links,
      onTrees: (doneItems) => progress({ step: 'walking trees', doneItems }),
    });
    this.#findings.report.checked.trees = reach.trees;
    this.#findings.report.checked.blobs = reach.used.count;
    for (const { type, id, error } of reach.lost) {
      const idHex = id.toString('hex');
      const kind = error.code === 'repository/blob-missing' ? 'blob-missing' : 'tree-damaged';
      this.#findings.add({ kind, id: idHex, what: error.message });
      this.#findings.lost.add(blobKey(type, idHex));
    }
  }

  async #checkJournals(): Promise<void> {
    this.#progress({ step: 'looking for gaps in journals' });
    const { problems, notes } = await checkJournals(this.#repository, this.#signal);
    const named = new Set(this.#findings.report.problems.map(({ id }) => id));
    for (const problem of problems) if (!named.has(problem.id)) this.#findings.add(problem);
    this.#findings.report.notes.push(...notes);
    const mended = new Set(this.#findings.report.mended.map(({ name }) => name));
    for (const name of this.#repository.sealed.takeStandIns()) {
      if (!mended.has(name)) await this.#findings.restore(name);
    }
  }
}
