/**
 * Sequences: backups, restores, forgetting, prunes, checks and the journal, one after another by chance, each under
 * faults of the storage. What was acknowledged comes back once the storage behaves; what failed said so; nothing hangs.
 */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { quietLogger } from '#base';
import { openJournalShipping } from '#capture';
import {
  checkRepository,
  forget,
  openJournalReader,
  prune,
  pruneInPhases,
  type Repository,
} from '#repository';
import { journalBytes } from '../../src/capture/journal/shipping.fixture.ts';
import { inLanes } from '../../src/repository/in-lanes.ts';
import { readFiles, saveFiles } from '../../src/repository/saved-files.fixture.ts';
import { FaultyStorage } from '../../src/repository/storage/faulty.ts';
import { MemoryStorage } from '../../src/repository/storage/memory.ts';
import { type Campaign, type CampaignOptions, type CampaignReport, Figures } from './campaign.ts';
import { Chance } from './chance.ts';
import { openImpatiently, ruleByChance } from './faults.ts';
import { asNamed, type Base, type Files, makeBase, resticCheck } from './sample.ts';

const LANES = 4;
const RESTIC_EVERY = 20;
const ADDRESS = { environment: 'shop', stage: 'test', store: 'orders' };
const LINE = 1;
/** Under any load, what isn't done by then hangs. */
const HANGS_AFTER_MS = 120_000;
/** The storage says that it has stored what it hasn't. */
const FALSE_WORD = new Set(['cut', 'lost']);

export const sequences: Campaign = {
  summary: 'backup, restore, forget, prune, check, journal in turn, each under storage faults',
  count: 300,
  run: runSequences,
};

export async function runSequences(options: CampaignOptions): Promise<CampaignReport> {
  const { count, seed, only, note } = options;
  const figures = new Figures();
  const failures: string[] = [];
  const base = await makeBase(new Chance(seed));
  let done = 0;
  const numbers = only === undefined ? Array.from({ length: count }).keys() : [Number(only)];
  await inLanes(numbers, LANES, async (number) => {
    const spoolFolder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-sequence-'));
    const sequence = new Sequence(
      base,
      new Chance(seed * 1_000_003 + number),
      figures,
      spoolFolder,
    );
    try {
      await withinBounds(sequence.run());
      if (number % RESTIC_EVERY === 0 && sequence.isClean) await sequence.restic();
    } catch (error) {
      sequence.failures.push(error instanceof Error ? String(error.stack) : String(error));
    } finally {
      await fs.rm(spoolFolder, { recursive: true, force: true });
    }
    for (const what of sequence.failures) {
      failures.push(`#${number} ${sequence.history.join(', ')}: ${what}`);
    }
    done += 1;
    if (done % 50 === 0) note(`${done} of ${count}, ${failures.length} failures`);
  });
  return { figures: { sequences: done, ...figures.toJSON() }, failures };
}

class Sequence {
  readonly failures: string[] = [];
  readonly history: string[] = [];
  isClean = true;
  readonly #chance: Chance;
  readonly #figures: Figures;
  readonly #files: Files;
  readonly #spoolFolder: string;
  /** What may be in any snapshot, by its path. */
  readonly #contents: Map<string, Buffer>;
  /** Trees of snapshots that were acknowledged and that nobody was asked to forget. */
  readonly #kept = new Set<string>();
  #journalEnd = 0n;
  #hasFalseWord = false;

  constructor(base: Base, chance: Chance, figures: Figures, spoolFolder: string) {
    this.#chance = chance;
    this.#figures = figures;
    this.#files = new Map(base.files);
    this.#contents = new Map(base.contents);
    this.#spoolFolder = spoolFolder;
  }

  async run(): Promise<void> {
    for (let step = 3 + this.#chance.below(4); step > 0; step -= 1) await this.#step();
    await this.#afterwards();
  }

  async #step(): Promise<void> {
    const [name, work] = this.#chance.oneOf([...Object.entries(this.#works)]);
    const rules = Array.from({ length: this.#chance.below(3) }, () => ruleByChance(this.#chance));
    const inner = new MemoryStorage('sequence', this.#files);
    const storage = new FaultyStorage(inner);
    // What lists show now is what stale ones show later.
    for (const prefix of ['snapshots/', 'index/', 'data/'])
      await Array.fromAsync(storage.list(prefix));
    for (const rule of rules) storage.addRule(rule);
    const done = await this.#attempt(storage, work);
    await storage.settle();
    const struck = [...new Set(storage.struck)];
    this.history.push(`${name} ${done ? 'done' : 'refused'} [${struck}]`);
    for (const kind of struck) this.#figures.add(`struck: ${kind}`);
    this.#figures.add(`${name}: ${done ? 'done' : 'refused, with a clear error'}`);
    this.#hasFalseWord ||= struck.some((kind) => FALSE_WORD.has(kind));
    await this.#unlock();
  }

  async #attempt(storage: FaultyStorage, work: Work): Promise<boolean> {
    let repository: Repository | undefined;
    try {
      repository = await openImpatiently(storage);
      await work(repository);
      return true;
    } catch (error) {
      asNamed(error);
      return false;
    } finally {
      await repository?.close();
    }
  }

  readonly #works: Readonly<Record<string, Work>> = {
    backup: async (repository) => {
      const name = `new${this.#contents.size}`;
      this.#contents.set(name, this.#chance.bytes(1 + this.#chance.below(60_000)));
      await repository.loadIndex();
      const { tree } = await saveFiles(repository, this.#contents, 60_000);
      this.#kept.add(tree);
    },
    restore: async (repository) => {
      const snapshots = await repository.snapshots.list();
      await repository.loadIndex();
      const { tree } = this.#chance.oneOf(snapshots) ?? {};
      if (tree) await this.#expectRight(repository, tree, 'under faults');
    },
    forget: async (repository) => {
      // Whatever comes of it, all but the newest may be gone.
      this.#kept.clear();
      await forget(repository, { last: 1 }, { groupBy: [], trustClock: true });
    },
    prune: async (repository) => {
      await prune(repository, { maxUnused: 0 });
    },
    'prune in phases': async (repository) => {
      await pruneInPhases(repository, { graceMs: 0, maxUnused: 0, lockWaitMs: 0 });
    },
    check: async (repository) => {
      await checkRepository(repository, { readData: this.#chance.fraction() < 0.5 });
    },
    journal: (repository) => this.#ship(repository),
  };

  async #ship(repository: Repository): Promise<void> {
    const shipping = await openJournalShipping({
      ...{ repository, address: ADDRESS, source: 'postgres', spoolFolder: this.#spoolFolder },
      ...{ log: quietLogger, shipEveryMs: 1, housekeepEveryMs: 0, joinAbove: 3 },
      ...{ segmentSizeBytes: 4096, batchAtBytes: 8192 },
    });
    try {
      for (let times = 0; times < 4; times += 1) {
        const from = shipping.resumeFrom()?.offset ?? 0n;
        const to = from + BigInt(1 + this.#chance.below(6000));
        shipping.append(LINE, from, journalBytes(LINE, from, to), Number(to));
        await shipping.shipAll();
        await shipping.housekeep();
      }
    } finally {
      const flushed = shipping.flushable()?.offset ?? 0n;
      if (flushed > this.#journalEnd) this.#journalEnd = flushed;
      await shipping.close();
    }
  }

  /** As a person does after a client that died. */
  async #unlock(): Promise<void> {
    const repository = await this.#openBehaving();
    await repository.locks.unlock(true);
    await repository.close();
  }

  async #afterwards(): Promise<void> {
    const repository = await this.#openBehaving();
    try {
      const report = await checkRepository(repository, { readData: true });
      this.isClean = report.verdict === 'pass';
      if (!this.isClean && !this.#hasFalseWord) {
        this.failures.push(`not clean: ${report.problems[0]?.what}`);
      }
      const isTold = report.problems.length + report.mended.length + report.notes.length > 0;
      const snapshots = await this.#lostSnapshots(repository);
      // Nothing refers to a piece of the journal: whoever reads is told of the gap.
      const pieces = await this.#lostJournal(repository);
      const lost = snapshots + pieces;
      if (lost > 0 && !this.#hasFalseWord) this.failures.push(`${lost} acknowledged are lost`);
      if (snapshots > 0 && !isTold) this.failures.push('snapshots are lost, and check is silent');
      if (lost === 0) this.#figures.add('afterwards: all that was acknowledged is there');
      if (snapshots > 0) this.#figures.add('afterwards: lost by a false word, found by check');
      if (pieces > 0) this.#figures.add('afterwards: a gap in the journal by a false word, named');
      if (this.isClean) await prune(repository, { maxUnused: 0 });
    } finally {
      await repository.close();
    }
  }

  async #lostSnapshots(repository: Repository): Promise<number> {
    const trees = new Set((await repository.snapshots.list({}, () => {})).map(({ tree }) => tree));
    await repository.loadIndex();
    let lost = 0;
    for (const tree of trees) await this.#expectRight(repository, tree, 'afterwards');
    for (const tree of this.#kept) {
      const isWhole = await this.#expectRight(repository, tree, 'afterwards');
      if (!trees.has(tree) || !isWhole) lost += 1;
    }
    return lost;
  }

  async #lostJournal(repository: Repository): Promise<number> {
    const reader = openJournalReader(repository, ADDRESS);
    const parts: Buffer[] = [];
    try {
      for await (const part of reader.read(LINE, 0n, this.#journalEnd))
        parts.push(Buffer.from(part));
    } catch (error) {
      return asNamed(error);
    }
    if (!Buffer.concat(parts).equals(journalBytes(LINE, 0n, this.#journalEnd))) {
      this.failures.push('the journal is read wrong');
    }
    return 0;
  }

  /** Right bytes or a clear error; true where all were right. */
  async #expectRight(repository: Repository, tree: string, when: string): Promise<boolean> {
    let isWhole = true;
    for (const [name, read] of await readFiles(repository, tree)) {
      if (!Buffer.isBuffer(read)) {
        asNamed(read);
        isWhole = false;
      } else if (!(this.#contents.get(name) ?? segmentNamed(name, read.length)).equals(read)) {
        this.failures.push(`${name} is read wrong ${when}`);
      }
    }
    return isWhole;
  }

  async restic(): Promise<void> {
    await resticCheck(this.#files);
    this.#figures.add('restic check --read-data clean');
  }

  #openBehaving(): Promise<Repository> {
    return openImpatiently(new MemoryStorage('sequence', this.#files));
  }
}

/** Batches of the journal are snapshots, too. */
function segmentNamed(name: string, lengthBytes: number): Buffer {
  const offset = /^00000001-([0-9a-f]{16})$/.exec(name)?.[1];
  if (offset === undefined) return Buffer.alloc(0);
  const from = BigInt(`0x${offset}`);
  return journalBytes(LINE, from, from + BigInt(lengthBytes));
}

type Work = (repository: Repository) => Promise<void>;

async function withinBounds(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it hangs')), HANGS_AFTER_MS);
  });
  try {
    await Promise.race([work, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}
