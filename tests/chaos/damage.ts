/**
 * Damage: flips, bursts, cuts, garbage, deletions and swaps of a repository's files, each on a copy. A check must name
 * each, and mend it where parity or a second copy can; a reader gets the right bytes or an error that says so.
 */
import { checkRepository, openRepository, type Repository, type Storage } from '#repository';
import { inLanes } from '../../src/repository/in-lanes.ts';
import { readFiles } from '../../src/repository/saved-files.fixture.ts';
import { MemoryStorage } from '../../src/repository/storage/memory.ts';
import { type Campaign, type CampaignOptions, type CampaignReport, Figures } from './campaign.ts';
import { Chance } from './chance.ts';
import { type Damage, damageOne } from './damaging.ts';
import {
  asNamed,
  type Base,
  type Files,
  makeBase,
  PASSWORD,
  resticCheck,
  SCRYPT,
} from './sample.ts';

const LANES = 4;
/** Mended repositories that restic looks at, too. */
const RESTIC_EVERY = 100;

/** What nothing refers to: its owner may have removed it. Found only where it is damaged. */
const UNREFERRED = /^holdfast\/(?!parity\/|copies\/|format$)/;

export const damage: Campaign = {
  summary: 'flips, cuts, deletions and swaps of repository files: found, named, mended',
  count: 2000,
  run: runDamage,
};

export async function runDamage({ count, seed, note }: CampaignOptions): Promise<CampaignReport> {
  const figures = new Figures();
  const failures: string[] = [];
  const base = await makeBase(new Chance(seed));
  const checkers: Checker[] = [];
  let done = 0;
  await inLanes(Array.from({ length: count }).keys(), LANES, async (number) => {
    const checker = checkers.pop() ?? (await openChecker(base));
    const trial = new Trial(base, checker, seed, number, figures);
    try {
      await trial.run();
    } catch (error) {
      trial.failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    checkers.push(checker);
    for (const failure of trial.failures) failures.push(`${trial.name}: ${failure}`);
    done += 1;
    if (done % 100 === 0) note(`${done} of ${count}, ${failures.length} failures`);
  });
  for (const { repository } of checkers) await repository.close();
  return { figures: { 'damages done': count, ...figures.toJSON() }, failures };
}

/** Open all the time, for it takes threads: what it looks at is exchanged below it. */
type Checker = { repository: Repository; look: (files: Files) => void };

async function openChecker({ files }: Base): Promise<Checker> {
  let now: Storage = new MemoryStorage('checked', new Map(files));
  const storage: Storage = {
    ...{ location: now.location, concurrency: now.concurrency },
    read: (name, range) => now.read(name, range),
    write: (name, parts) => now.write(name, parts),
    list: (prefix) => now.list(prefix),
    stat: (name) => now.stat(name),
    remove: (name) => now.remove(name),
    close: async () => {},
  };
  const repository = await openRepository({ storage, password: PASSWORD, cache: false });
  const look = (damaged: Files) => {
    now = new MemoryStorage('checked', damaged);
    repository.dropIndex();
  };
  return { repository, look };
}

class Trial {
  readonly failures: string[] = [];
  name = 'nothing done yet';
  readonly #base: Base;
  readonly #checker: Checker;
  readonly #number: number;
  readonly #chance: Chance;
  readonly #figures: Figures;

  constructor(base: Base, checker: Checker, seed: number, number: number, figures: Figures) {
    this.#base = base;
    this.#checker = checker;
    this.#number = number;
    this.#chance = new Chance(seed * 1_000_003 + number);
    this.#figures = figures;
  }

  async run(): Promise<void> {
    const files: Files = new Map(this.#base.files);
    const done = damageOne(files, this.#chance);
    this.name = `#${this.#number} ${done.kind} of ${done.names.join(' and ')}`;
    this.#figures.add(`${done.kind}`);
    await this.#read(new Map(files));
    await this.#check(files, done);
  }

  /** A reader gets the right bytes or a clear error. */
  async #read(files: Files): Promise<void> {
    const repository = await this.#open(files);
    if (!repository) return;
    let wrong = 0;
    let refused = 0;
    try {
      const snapshots = await repository.snapshots.list({}, () => {});
      await repository.loadIndex().catch(asNamed);
      for (const { tree } of snapshots) {
        for (const [name, read] of await readFiles(repository, tree)) {
          if (!Buffer.isBuffer(read)) refused += asNamed(read);
          else if (!this.#base.contents.get(name)?.equals(read)) wrong += 1;
        }
      }
    } finally {
      await repository.close();
    }
    if (wrong > 0) this.failures.push(`${wrong} files were read wrong`);
    this.#figures.add(refused > 0 ? 'read: errors for some files' : 'read: all files right');
  }

  async #check(files: Files, done: Damage): Promise<void> {
    this.#checker.look(files);
    const report = await checkRepository(this.#checker.repository, { readData: true });
    const told = JSON.stringify([report.problems, report.mended, report.notes]);
    const unnamed = done.names.filter((name) => !told.includes(shortName(name)));
    if (unnamed.length > 0) this.#expectUnreferred(done, unnamed);
    else this.#figures.add('check: named');
    if (report.verdict === 'pass') await this.#expectMended(files, done);
    else if (mustBeMended(done)) {
      this.failures.push(`could have been mended: ${report.problems[0]?.what}`);
    } else this.#figures.add('check: beyond mending, named with what it costs');
  }

  #expectUnreferred(done: Damage, unnamed: readonly string[]): void {
    const isOwn = done.kind === 'deletion' && unnamed.every((name) => UNREFERRED.test(name));
    if (isOwn) this.#figures.add('check: a deleted record of our own, which nothing refers to');
    else this.failures.push(`not named: ${unnamed.join(', ')}`);
  }

  /** Whatever restic reads is as it was, unless it is gone for a reason that only a person knows. */
  async #expectMended(files: Files, done: Damage): Promise<void> {
    for (const name of done.names) {
      const isGone = !files.has(name);
      const isAsBefore = this.#base.files.get(name)?.equals(files.get(name) ?? Buffer.alloc(0));
      if (isAsBefore) this.#figures.add('check: mended, to the same bytes');
      else if (isGone && name.startsWith('snapshots/')) {
        this.#figures.add('check: a snapshot that is gone, noted with its copy');
      } else if (!name.startsWith('holdfast/')) this.failures.push(`passed unmended: ${name}`);
    }
    if (this.#number % RESTIC_EVERY === 0) {
      await resticCheck(files);
      this.#figures.add('restic check --read-data clean');
    }
  }

  async #open(files: Files): Promise<Repository | undefined> {
    try {
      const storage = new MemoryStorage(this.name, files);
      return await openRepository({ storage, password: PASSWORD, scrypt: SCRYPT, cache: false });
    } catch (error) {
      asNamed(error);
      this.failures.push(`could not be opened: ${(error as Error).message}`);
      return undefined;
    }
  }
}

function mustBeMended({ kind, names, isWithinParity }: Damage): boolean {
  const [name] = names as [string];
  if (kind === 'swap') return false;
  if (/^(config|keys\/|index\/)/.test(name)) return true;
  if (/^holdfast\/(parity|copies)\/|^holdfast\/format$/.test(name)) return true;
  if (name.startsWith('snapshots/')) return kind !== 'deletion';
  return name.startsWith('data/') && isWithinParity;
}

/** Names carry ids, of which a part may be shown. */
function shortName(name: string): string {
  const last = name.split('/').at(-1) as string;
  return last.length === 64 ? last.slice(0, 8) : last;
}
