/**
 * Mount-kill: kill -9 of the process that serves a mount, under a load of writes that are made durable one by one,
 * again and again on the same files. What was durable is there after each; half of the time only what an end of the
 * host would leave counts, too.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { Worker } from 'node:worker_threads';
import { Secret, sleepMs } from '#base';
import { createRepository, openStorage } from '#repository';
import { saveFiles } from '../../src/repository/saved-files.fixture.ts';
import { type Campaign, type CampaignOptions, type CampaignReport, Figures } from './campaign.ts';
import { Chance } from './chance.ts';
import { fileOf, isPossible, RECORD_BYTES, SLOTS_PER_FILE } from './mount-kill/records.ts';
import { SCRYPT } from './sample.ts';

const FIXTURE = path.resolve(import.meta.dirname, '../../src/recovery/mount/lazy/mount.fixture.ts');
/** The fixture's. */
const FIXTURE_PASSWORD = new Secret('lazy');
const FILES = 4;
/** Durable ones, before a kill. */
const MOST_WRITES = 60;
const LATER_MS = 10;
/** After so many everything was written, and nothing comes from the repository any more. */
const KILLS_PER_PLACE = 10;
const AS_AFTER_A_REBOOT = 0.5;

export const mountKill: Campaign = {
  summary: 'kill -9 of the process that serves a mount, under a load of durable writes',
  count: 100,
  run: runMountKill,
};

export async function runMountKill({
  count,
  seed,
  note,
}: CampaignOptions): Promise<CampaignReport> {
  const figures = new Figures();
  const failures: string[] = [];
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-mount-kill-'));
  const chance = new Chance(seed);
  try {
    const stored = await store(path.join(home, 'repository'));
    for (let done = 0; done < count; ) {
      const place = new Place(stored, path.join(home, `place-${done}`), chance, figures);
      const kills = Math.min(KILLS_PER_PLACE, count - done);
      try {
        for (let kill = 0; kill < kills; kill += 1) {
          failures.push(...(await place.killOnce()).map((what) => `kill ${done + kill}: ${what}`));
        }
      } finally {
        await place.leave();
      }
      done += kills;
      note(`${done} kills, ${failures.length} failures`);
    }
  } finally {
    fs.rmSync(home, { recursive: true, force: true });
  }
  return { figures: figures.toJSON(), failures };
}

type Stored = { repository: string; tree: string; files: string[] };

async function store(location: string): Promise<Stored> {
  const storage = await openStorage(location);
  const repository = await createRepository({
    storage,
    password: FIXTURE_PASSWORD,
    scrypt: SCRYPT,
  });
  const files = Array.from({ length: FILES }, (_, file) => `file${file}`);
  const contents = new Map(files.map((name, file) => [name, fileOf(file)]));
  const { tree } = await saveFiles(repository, contents);
  await repository.close();
  return { repository: location, tree, files };
}

/** One mounted tree over many kills. */
class Place {
  readonly #stored: Stored;
  readonly #folder: string;
  readonly #chance: Chance;
  readonly #figures: Figures;
  readonly #begun = new Int32Array(new SharedArrayBuffer(FILES * SLOTS_PER_FILE * 4));
  readonly #durable = new Int32Array(new SharedArrayBuffer(FILES * SLOTS_PER_FILE * 4));
  #served: ChildProcess | undefined;

  constructor(stored: Stored, folder: string, chance: Chance, figures: Figures) {
    this.#stored = stored;
    this.#folder = folder;
    this.#chance = chance;
    this.#figures = figures;
    fs.mkdirSync(folder);
  }

  /** Resolves to what is wrong afterwards. */
  async killOnce(): Promise<string[]> {
    await this.#mount();
    const before = this.#durableWrites();
    const load = this.#load();
    const soon = this.#untilWritten(before + 1 + this.#chance.below(MOST_WRITES));
    await Promise.race([soon, load]);
    await this.#end((child) => child.kill('SIGKILL'));
    await load;
    this.#figures.add('kills');
    this.#figures.add('writes that were durable', this.#durableWrites() - before);
    if (this.#chance.fraction() < AS_AFTER_A_REBOOT) this.#forgetWhatIsNotDurable();
    await this.#mount();
    const wrong = this.#wrongSlots();
    await this.#end((child) => child.stdin?.end());
    return wrong;
  }

  async leave(): Promise<void> {
    await this.#end((child) => child.kill('SIGKILL'));
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }

  #load(): Promise<void> {
    const workerData = {
      folder: path.join(this.#folder, 'mount'),
      files: this.#stored.files,
      counters: { begun: this.#begun.buffer, durable: this.#durable.buffer },
      seed: this.#chance.below(2 ** 30),
    };
    const thread = new Worker(new URL('./mount-kill/load-thread.ts', import.meta.url), {
      workerData,
    });
    return new Promise((resolve, reject) => {
      thread.once('error', reject).once('exit', () => resolve());
    });
  }

  /** And a moment longer: anywhere within a write. */
  async #untilWritten(writes: number): Promise<void> {
    while (this.#durableWrites() < writes) await sleepMs(1);
    await sleepMs(this.#chance.below(LATER_MS));
  }

  #durableWrites(): number {
    return this.#durable.reduce((sum, version) => sum + version, 0);
  }

  /** The map of pages as a host would find it that ended: what was noted without care for that may say anything. */
  #forgetWhatIsNotDurable(): void {
    const state = path.join(this.#folder, 'state');
    fs.writeFileSync(path.join(state, 'boot'), 'another');
    fs.writeFileSync(path.join(state, 'settled'), '');
    fs.writeFileSync(path.join(state, 'pages.now'), this.#chance.bytes(4096));
    this.#figures.add('with the map of pages as after an end of the host');
  }

  /** What is there from now on counts as durable: a kill changes it no more. */
  #wrongSlots(): string[] {
    const wrong: string[] = [];
    for (const [file, name] of this.#stored.files.entries()) {
      const bytes = fs.readFileSync(path.join(this.#folder, 'mount', name));
      for (let at = 0; at < SLOTS_PER_FILE; at += 1) {
        const slot = file * SLOTS_PER_FILE + at;
        const durable = this.#durable[slot] as number;
        const begun = this.#begun[slot] as number;
        const record = bytes.subarray(at * RECORD_BYTES, (at + 1) * RECORD_BYTES);
        if (isPossible(slot, record, durable, begun)) continue;
        wrong.push(
          `${name}, slot ${at}: neither version ${durable}, which was durable, nor ${begun}`,
        );
      }
    }
    return wrong;
  }

  async #mount(): Promise<void> {
    const { repository, tree } = this.#stored;
    const writing = this.#chance.oneOf(['through', 'behind']);
    const words = [FIXTURE, repository, tree, this.#folder, writing];
    const child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#served = child;
    const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value } = await lines.next();
    if (value !== 'mounted') throw new Error(`the mount said "${value}"`);
  }

  /** Resolves when the mount point is gone, whoever took it away. */
  async #end(how: (child: ChildProcess) => void): Promise<void> {
    const child = this.#served;
    this.#served = undefined;
    if (!child) return;
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    how(child);
    await ended;
    const mountPoint = path.join(this.#folder, 'mount');
    while (fs.readFileSync('/proc/self/mounts', 'utf8').includes(` ${mountPoint} `)) {
      await sleepMs(10);
    }
  }
}
