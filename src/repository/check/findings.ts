/** What a check has found so far: what is wrong, what came back, and what is lost. */
import { HoldfastError } from '#base';
import { restoreFromCopy } from '../copies/restore-copy.ts';
import type { Repository } from '../repository.ts';
import { blobKey } from './affected.ts';
import type { CheckProblem, CheckReport } from './problems.ts';

export class Findings {
  readonly report = emptyReport();
  /** Keys of blobs of which no copy is left whole. */
  readonly lost = new Set<string>();
  readonly #repository: Repository;

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  /** What no other pack holds too. */
  loseAllOf(packId: string): void {
    const { index } = this.#repository;
    for (const { type, id } of index.packContents(packId)) {
      const elsewhere = index.lookupAll(type, id).some((other) => other.packId !== packId);
      if (!elsewhere) this.lost.add(blobKey(type, Buffer.from(id).toString('hex')));
    }
  }

  /** Does the work; where that fails, the file comes back from its second copy or is named. */
  async verify(
    kind: CheckProblem['kind'],
    name: string,
    id: string,
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      await work();
    } catch (error) {
      // Removed since it was listed, by its owner: nothing is wrong with that.
      if (error instanceof HoldfastError && error.code === 'repository/not-in-storage') return;
      await this.restoreOrName(kind, name, id, error);
    }
  }

  /** Files that were damaged, and of which only the second copy was read. */
  async restoreStandIns(kind: 'index' | 'snapshots'): Promise<void> {
    for (const name of this.#repository.files.takeStandIns(kind)) await this.restore(name);
  }

  async restoreOrName(
    kind: CheckProblem['kind'],
    name: string,
    id: string,
    error: unknown,
  ): Promise<void> {
    if (!(error instanceof HoldfastError)) throw error;
    if (!(await this.restore(name))) this.add({ kind, id, what: error.message });
  }

  /** From its second copy; false where that is no help. */
  async restore(name: string): Promise<boolean> {
    const mend = await restoreFromCopy(this.#repository, name, 'check');
    if (!mend) return false;
    this.report.mended.push({ name, what: mend.what });
    return true;
  }

  add(problem: CheckProblem): void {
    this.report.problems.push(problem);
  }
}

function emptyReport(): CheckReport {
  return {
    verdict: 'pass',
    problems: [],
    mended: [],
    notes: [],
    affected: [],
    affectedCount: 0,
    checked: {
      ...{ snapshots: 0, indexes: 0, packs: 0, trees: 0, blobs: 0 },
      ...{ readPacks: 0, readBytes: 0, ownFiles: 0, totalBytes: 0, copies: 0, parity: 0 },
    },
  };
}
