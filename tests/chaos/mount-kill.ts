/**
 * Mount-kill: kill -9 of the process that serves a mount, under a load of writes that are made durable one by one,
 * again and again on the same files. What was durable is there after each; half of the time only what an end of the
 * host would leave counts, too.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { sleepMs } from '#base';
import { type Mounting, mountingOf } from '../../src/recovery/mount/lazy/mounting.fixture.ts';
import { type Campaign, type CampaignOptions, type CampaignReport, Figures } from './campaign.ts';
import { Chance } from './chance.ts';
import { fileOf, isPossible, RECORD_BYTES, SLOTS_PER_FILE } from './mount-kill/records.ts';
import { type StoredFiles, storeFiles } from './stored-files.ts';

const FILES = 4;
const NAMES = Array.from({ length: FILES }, (_, file) => `file${file}`);
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
    const files = new Map(NAMES.map((name, file) => [name, fileOf(file)]));
    const stored = await storeFiles(path.join(home, 'repository'), files);
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

/** One mounted tree over many kills. */
class Place {
  readonly #folder: string;
  readonly #chance: Chance;
  readonly #figures: Figures;
  readonly #begun = new Int32Array(new SharedArrayBuffer(FILES * SLOTS_PER_FILE * 4));
  readonly #durable = new Int32Array(new SharedArrayBuffer(FILES * SLOTS_PER_FILE * 4));
  readonly #mounting: Mounting;

  constructor(stored: StoredFiles, folder: string, chance: Chance, figures: Figures) {
    this.#mounting = mountingOf(stored.repository, stored.tree);
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
    await this.#mounting.kill(this.#folder);
    await load;
    this.#figures.add('kills');
    this.#figures.add('writes that were durable', this.#durableWrites() - before);
    if (this.#chance.fraction() < AS_AFTER_A_REBOOT) this.#forgetWhatIsNotDurable();
    await this.#mount();
    const wrong = this.#wrongSlots();
    await this.#mounting.unmount();
    return wrong;
  }

  async leave(): Promise<void> {
    await this.#mounting.unmount();
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }

  #load(): Promise<void> {
    const workerData = {
      folder: path.join(this.#folder, 'mount'),
      files: NAMES,
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
    for (const [file, name] of NAMES.entries()) {
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

  #mount(): Promise<void> {
    return this.#mounting.mount(this.#folder, this.#chance.oneOf(['through', 'behind']));
  }
}
