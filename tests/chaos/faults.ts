/**
 * Faults: storage that errors, times out, is slow, full, cuts or loses writes, shows them late, returns other or old
 * bytes, lists what was. Never a wrong byte comes out; what was acknowledged is there, or, where the storage itself
 * acknowledged falsely, a check finds and names it; the next run goes on by itself.
 */
import { checkRepository, openRepository, type Repository } from '#repository';
import { inLanes } from '../../src/repository/in-lanes.ts';
import { readFiles, saveFiles } from '../../src/repository/saved-files.fixture.ts';
import { type Fault, type FaultRule, FaultyStorage } from '../../src/repository/storage/faulty.ts';
import { MemoryStorage } from '../../src/repository/storage/memory.ts';
import type { Storage } from '../../src/repository/storage/storage.ts';
import { type Campaign, type CampaignOptions, type CampaignReport, Figures } from './campaign.ts';
import { Chance } from './chance.ts';
import { asNamed, type Base, type Files, makeBase, PASSWORD, resticCheck } from './sample.ts';

const LANES = 4;
const RESTIC_EVERY = 100;

export const faults: Campaign = {
  summary: 'storage that errors, cuts, loses, delays, mixes up: no wrong byte, no false word',
  count: 1000,
  run: runFaults,
};

export async function runFaults({ count, seed, note }: CampaignOptions): Promise<CampaignReport> {
  const figures = new Figures();
  const failures: string[] = [];
  const base = await makeBase(new Chance(seed));
  let done = 0;
  await inLanes(Array.from({ length: count }).keys(), LANES, async (number) => {
    const chance = new Chance(seed * 1_000_003 + number);
    const trial = new Trial(base, siteInMemory(base, chance), number, chance, figures);
    try {
      await trial.run();
    } catch (error) {
      trial.failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    for (const failure of trial.failures) failures.push(`${trial.name}: ${failure}`);
    done += 1;
    if (done % 100 === 0) note(`${done} of ${count}, ${failures.length} failures`);
  });
  return { figures: { 'sessions under faults': count, ...figures.toJSON() }, failures };
}

/** Where the repository of one session lies. */
export type Site = {
  /** What goes wrong there, for whoever wants to see it again. */
  script: string;
  /** The way there that goes wrong. */
  faulty: Storage;
  /** What it did too late is done now. */
  settle(): Promise<void>;
  /** Kinds of faults that struck. */
  struck(): readonly string[];
  /** It said that it had stored what it hadn't. */
  hasLied(): boolean;
  /** A way there without faults. */
  behaving(): Storage;
  /** All that is there. */
  files(): Promise<Files>;
};

function siteInMemory(base: Base, chance: Chance): Site {
  const rules = Array.from({ length: 1 + chance.below(3) }, () => ruleByChance(chance));
  const script = scriptOf(rules);
  const files: Files = new Map(base.files);
  const faulty = new FaultyStorage(new MemoryStorage(script, files), rules);
  return {
    ...{ script, faulty },
    settle: () => faulty.settle(),
    struck: () => faulty.struck,
    hasLied: () => faulty.struck.some((kind) => kind === 'cut' || kind === 'lost'),
    behaving: () => new MemoryStorage(script, files),
    files: async () => files,
  };
}

export function scriptOf(rules: readonly FaultRule<{ kind: string }>[]): string {
  return JSON.stringify(rules.map(({ on, fault }) => [on, fault.kind]));
}

/** One session under faults, and what is found after it. */
export class Trial {
  readonly failures: string[] = [];
  readonly name: string;
  readonly #base: Base;
  readonly #site: Site;
  readonly #number: number;
  readonly #chance: Chance;
  readonly #figures: Figures;
  readonly #added = new Map<string, Buffer>();

  constructor(base: Base, site: Site, number: number, chance: Chance, figures: Figures) {
    this.name = `#${number} ${site.script}`;
    this.#base = base;
    this.#site = site;
    this.#number = number;
    this.#chance = chance;
    this.#figures = figures;
  }

  async run(): Promise<void> {
    for (let number = 0; number < 2; number += 1) {
      this.#added.set(`new${number}`, this.#chance.bytes(1 + this.#chance.below(150_000)));
    }
    const acknowledged = await this.#session();
    await this.#site.settle();
    for (const kind of new Set(this.#site.struck())) this.#figures.add(`struck: ${kind}`);
    this.#figures.add(acknowledged ? 'acknowledged' : 'refused, with a clear error');
    await this.#afterwards(acknowledged, this.#site.hasLied());
  }

  /** Reads everything and saves a snapshot, under faults. True where that was acknowledged. */
  async #session(): Promise<boolean> {
    let repository: Repository | undefined;
    try {
      repository = await openImpatiently(this.#site.faulty);
      await repository.loadIndex();
      for (const { tree } of await repository.snapshots.list()) {
        await this.#expectRight(repository, tree, this.#base.contents, 'under faults');
      }
      await saveFiles(repository, this.#added, 60_000);
      return true;
    } catch (error) {
      asNamed(error);
      return false;
    } finally {
      await repository?.close();
    }
  }

  async #afterwards(acknowledged: boolean, isFalse: boolean): Promise<void> {
    const repository = await openImpatiently(this.#site.behaving());
    try {
      // What a client that died leaves behind.
      await repository.locks.unlock(true);
      const report = await checkRepository(repository, { readData: true });
      if (report.verdict === 'fail' && !isFalse) {
        this.failures.push(`damaged afterwards: ${report.problems[0]?.what}`);
      }
      const snapshots = await repository.snapshots.list({}, () => {});
      const known = new Map([...this.#base.contents, ...this.#added]);
      let whole = 0;
      for (const { tree } of snapshots) {
        if (await this.#expectRight(repository, tree, known, 'afterwards')) whole += 1;
      }
      // The three of before, and the new one.
      if (!isFalse && whole < (acknowledged ? 4 : 3)) this.failures.push(`only ${whole} are whole`);
      if (isFalse && acknowledged && whole < 4) this.#expectTold(report);
      if (report.verdict === 'pass') await this.#goOn(repository, known);
    } finally {
      await repository.close();
    }
  }

  /** The storage said that it had stored what it hadn't: the check must have said so. */
  #expectTold(report: Awaited<ReturnType<typeof checkRepository>>): void {
    if (report.problems.length + report.mended.length + report.notes.length > 0) {
      this.#figures.add('false word of the storage, found by check');
    } else this.failures.push('a snapshot is lost, and the check has not said so');
  }

  /** The next run goes on by itself, and restic finds what it leaves clean. */
  async #goOn(repository: Repository, known: ReadonlyMap<string, Buffer>): Promise<void> {
    const { tree } = await saveFiles(repository, this.#added, 60_000);
    if (!(await this.#expectRight(repository, tree, known, 'in the next run'))) {
      this.failures.push('the next run did not go on');
    }
    if (this.#number % RESTIC_EVERY !== 0) return;
    await resticCheck(await this.#site.files());
    this.#figures.add('restic check --read-data clean');
  }

  /** Right bytes or a clear error; true where all were right. */
  async #expectRight(
    repository: Repository,
    tree: string,
    known: ReadonlyMap<string, Buffer>,
    when: string,
  ): Promise<boolean> {
    let isWhole = true;
    for (const [name, read] of await readFiles(repository, tree)) {
      if (!Buffer.isBuffer(read)) {
        asNamed(read);
        isWhole = false;
      } else if (!known.get(name)?.equals(read)) this.failures.push(`${name} read wrong ${when}`);
    }
    return isWhole;
  }
}

/** Tries again as often as ever, but without long pauses. */
export function openImpatiently(inner: Storage): Promise<Repository> {
  const storage: Storage = {
    patience: { firstPauseMs: 1, longestPauseMs: 4 },
    ...{ location: inner.location, concurrency: inner.concurrency },
    read: (name, range) => inner.read(name, range),
    write: (name, parts) => inner.write(name, parts),
    list: (prefix) => inner.list(prefix),
    stat: (name) => inner.stat(name),
    remove: (name) => inner.remove(name),
    close: () => inner.close(),
  };
  return openRepository({ storage, password: PASSWORD, cache: false });
}

export const NAMES = [
  /./,
  /^data\//,
  /^index\//,
  /^snapshots\//,
  /^keys\//,
  /^config/,
  /^holdfast\//,
];

export function ruleByChance(chance: Chance): FaultRule {
  const fault = chance.oneOf<() => Fault>([
    () => ({ kind: 'error' }),
    () => ({ kind: 'timeout', afterMs: 1 }),
    () => ({ kind: 'slow', delayMs: chance.below(20) }),
    () => ({ kind: 'full' }),
    () => ({ kind: 'cut', keepBytes: chance.below(20_000) }),
    () => ({ kind: 'late' }),
    () => ({ kind: 'lost' }),
    () => ({ kind: 'stale-list' }),
    () => ({ kind: 'wrong-bytes', atByte: chance.below(100_000) }),
    () => ({ kind: 'other-file' }),
    () => ({ kind: 'old-bytes' }),
  ])();
  return {
    on: operationsOf(fault.kind),
    name: chance.oneOf(NAMES),
    fault,
    after: chance.below(chance.oneOf([1, 4, 12])),
    times: chance.oneOf([1, 1, 2, 5, Number.POSITIVE_INFINITY]),
  };
}

function operationsOf(kind: Fault['kind']): FaultRule['on'] {
  switch (kind) {
    case 'cut':
    case 'late':
    case 'lost':
    case 'full':
      return 'write';
    case 'stale-list':
      return 'list';
    case 'wrong-bytes':
    case 'other-file':
    case 'old-bytes':
      return 'read';
    default:
      return ['read', 'write', 'list', 'stat', 'remove'];
  }
}
