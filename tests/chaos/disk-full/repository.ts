/** No room in the repository: under backups, checks that write parity, new keys, forget with prune, and the journal. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { HoldfastError, Secret, systemCode } from '#base';
import {
  checkRepository,
  createRepository,
  forget,
  openRepository,
  openStorage,
  prune,
  type Repository,
  writePiece,
} from '#repository';
import { readFiles, saveFiles } from '../../../src/repository/saved-files.fixture.ts';
import type { FullDiskTrials } from '../disk-full.ts';
import { PASSWORD, SCRYPT } from '../sample.ts';
import { ROOM_STEP_BYTES } from '../small-disk.ts';

const ADDRESS = { environment: 'shop', stage: 'test', store: 'orders' };
const RESTIC_EVERY = 8;
/** Until it had room enough so often. */
const ENOUGH_TIMES = 3;
/** Enough for each of the works. */
const MOST_PAGES = 120;

type Work = (repository: Repository) => Promise<void>;

export async function fullRepository(trials: FullDiskTrials): Promise<void> {
  const full = await FullRepository.prepare(trials);
  const works = full.works();
  const each = Math.ceil(trials.count / Object.keys(works).length);
  for (const [name, make] of Object.entries(works)) await full.sweep(name, make, each);
}

class FullRepository {
  readonly #trials: FullDiskTrials;
  readonly #folder: string;
  /** What acknowledged snapshots hold, by tree. */
  readonly #acknowledged = new Map<string, ReadonlyMap<string, Buffer>>();
  readonly #pieces: { from: bigint; bytes: Buffer }[] = [];
  #number = 0;

  static async prepare(trials: FullDiskTrials): Promise<FullRepository> {
    const full = new FullRepository(trials);
    const storage = await openStorage(full.#folder);
    const repository = await createRepository({ storage, password: PASSWORD, scrypt: SCRYPT });
    await repository.parity.change({ on: true, overhead: 0.03 });
    await full.#backup()(repository);
    await repository.close();
    return full;
  }

  constructor(trials: FullDiskTrials) {
    this.#trials = trials;
    this.#folder = trials.disk.place('repository');
  }

  /** What is done, made anew for each room: the same is done again where there was none. */
  works(): Record<string, () => Work> {
    return {
      backup: () => this.#backup(),
      check: () => async (repository) => {
        await checkRepository(repository, { readData: true });
      },
      keys: () => {
        const password = new Secret(`password ${this.#number}`);
        return async (repository) => {
          await repository.keys.add(password);
        };
      },
      journal: () => this.#journal(),
      prune: () => this.#prune,
    };
  }

  /** With ever more room, in steps that are small first: there each write in turn finds none. */
  async sweep(name: string, make: () => Work, steps: number): Promise<void> {
    let enough = 0;
    for (let step = 0; step < steps && enough < ENOUGH_TIMES; step += 1) {
      const pages = Math.round(MOST_PAGES * (step / Math.max(steps - 1, 1)) ** 2);
      if (await this.#trial(name, make(), pages * ROOM_STEP_BYTES)) enough += 1;
    }
    if (enough === 0) this.#trials.fail(`${name}: had never room enough`);
  }

  async #trial(name: string, work: Work, roomBytes: number): Promise<boolean> {
    const { disk, figures } = this.#trials;
    this.#number += 1;
    const what = `${name} with ${roomBytes} bytes of room`;
    disk.leave(roomBytes);
    const done = await this.#attempt(what, work);
    figures.add(`${name}: ${done ? 'room enough' : 'no room, said so'}`);
    await this.#expectWhole(`${what}, still full`);
    if (this.#number % RESTIC_EVERY === 0) await this.#restic();
    disk.giveBack();
    if (done) return true;
    if (!(await this.#attempt(`${what}, then enough`, work, false))) return false;
    await this.#expectWhole(`${what}, then enough`);
    await this.#expectClean(what);
    return false;
  }

  /** True where it was done; a failure must name the place and what to do. */
  async #attempt(what: string, work: Work, mayFail = true): Promise<boolean> {
    let repository: Repository | undefined;
    try {
      repository = await this.#open();
      await work(repository);
      return true;
    } catch (error) {
      if (!mayFail || !saysFull(error, this.#folder)) this.#trials.fail(`${what}: ${told(error)}`);
      return false;
    } finally {
      await repository?.close();
    }
  }

  #backup(): Work {
    const { chance } = this.#trials;
    const files = new Map<string, Buffer>();
    for (let number = 0; number < 3; number += 1) {
      files.set(`folder${number % 2}/file${number}`, chance.bytes(1 + chance.below(30_000)));
    }
    return async (repository) => {
      await repository.loadIndex();
      const { tree } = await saveFiles(repository, files, 20_000);
      this.#acknowledged.set(tree, files);
    };
  }

  #journal(): Work {
    const bytes = this.#trials.chance.bytes(1 + this.#trials.chance.below(20_000));
    const last = this.#pieces.at(-1);
    const from = last ? last.from + BigInt(last.bytes.length) : 0n;
    return async (repository) => {
      await writePiece(repository, ADDRESS, { line: 1, from, latestMs: 1 }, bytes);
      this.#pieces.push({ from, bytes });
    };
  }

  /** All but the newest go. */
  readonly #prune: Work = async (repository) => {
    await forget(repository, { last: 1 }, { groupBy: [], trustClock: true });
    const left = new Set((await repository.snapshots.list()).map(({ tree }) => tree));
    for (const tree of this.#acknowledged.keys()) {
      if (!left.has(tree)) this.#acknowledged.delete(tree);
    }
    await prune(repository, { maxUnused: 0 });
  };

  async #expectWhole(what: string): Promise<void> {
    const repository = await this.#open();
    try {
      await repository.loadIndex();
      const trees = new Set((await repository.snapshots.list()).map(({ tree }) => tree));
      for (const [tree, files] of this.#acknowledged) {
        if (!trees.has(tree)) this.#trials.fail(`${what}: an acknowledged snapshot is gone`);
        for (const [name, read] of await readFiles(repository, tree)) {
          const isRight = Buffer.isBuffer(read) && files.get(name)?.equals(read);
          if (!isRight) this.#trials.fail(`${what}: ${name} is not as it was: ${told(read)}`);
        }
      }
    } finally {
      await repository.close();
    }
  }

  async #expectClean(what: string): Promise<void> {
    const repository = await this.#open();
    try {
      const report = await checkRepository(repository, { readData: true });
      if (report.verdict !== 'pass') this.#trials.fail(`${what}: ${report.problems[0]?.what}`);
    } finally {
      await repository.close();
    }
  }

  /** Also while it is full: without a lock, for which there may be no room. */
  async #restic(): Promise<void> {
    const env = { ...process.env, RESTIC_PASSWORD: PASSWORD.reveal() };
    const words = ['--no-cache', '--no-lock', '-r', this.#folder, 'check', '--read-data'];
    await promisify(execFile)('restic', words, { env });
    this.#trials.figures.add('restic check --read-data clean, on the full disk');
  }

  async #open(): Promise<Repository> {
    const storage = await openStorage(this.#folder);
    return openRepository({ storage, password: PASSWORD, scrypt: SCRYPT, cache: false });
  }
}

/** It names the place, says what to do, and the cause is the disk. */
export function saysFull(error: unknown, folder: string): boolean {
  if (!(error instanceof HoldfastError) || error.guidance === '') return false;
  return error.message.includes(folder) && isFull(error);
}

function isFull(error: unknown): boolean {
  for (let one = error; one instanceof Error; one = one.cause) {
    if (systemCode(one) === 'ENOSPC') return true;
  }
  return error instanceof HoldfastError && /-full$/.test(error.code);
}

export function told(error: unknown): string {
  if (!(error instanceof Error)) return 'other bytes';
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return error instanceof HoldfastError
    ? `${error.code}: ${error.message}${cause}`
    : String(error.stack);
}
