/** One recovery from its making to its removal, with a kill in each of the five things that are done with it. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { CRASH_POINTS, type CrashPointName } from '#recovery';
import { addressOf } from '../../end-to-end/site/address.ts';
import { askDatabase } from '../../end-to-end/site/ask-database.ts';
import { type CrashingChange, crashAt } from '../../end-to-end/site/crash-at.ts';
import { command, expectNothingRuns, killDuring, mustEnd, type Trials } from './trials.ts';

type Store = { store: string; urlFile?: string; directory: string; isMounted?: true };
type Recovered = { id: string; status: string; stores: Store[] };

const AT_A_NAMED_PLACE = 0.4;
const WRITTEN_HERE = 'written here';
const TRIES = 3;

export class RecoveryLife {
  readonly #trials: Trials;
  readonly #where: string;
  #copy: Recovered | undefined;

  constructor(trials: Trials, where: string) {
    this.#trials = trials;
    this.#where = where;
  }

  async run(): Promise<void> {
    for (const step of ['make', 'hydrate', 'promote', 'undo', 'remove'] as const) {
      try {
        await this[step]();
      } catch (error) {
        this.#trials.fail(`${this.#where}, ${step}: ${(error as Error).message}`);
        await this.#clearAway();
        return;
      }
    }
  }

  /** What was cut is removed; then one is made that the other steps go on with. */
  async make(): Promise<void> {
    const full = this.#trials.chance.fraction() < 0.3 ? ['--full'] : [];
    const change = full.length > 0 ? 'write-out' : 'mount';
    await this.#kill(change, CRASH_POINTS.create, ['recover', '--to', 'latest', ...full]);
    for (const { id } of await this.#list()) {
      await mustEnd(this.#trials, 'cut', 'recovery', 'remove', id, '--yes');
    }
    await expectNothingRuns(this.#trials, `${this.#where}, cut while it was made and removed`);
    await mustEnd(this.#trials, 'making', 'recover', '--to', 'latest');
    const names = await fs.readdir(this.#trials.root);
    if (names.length !== 1) this.#fail(`left in the folder of recoveries: ${names.join(', ')}`);
    await this.#find();
    await this.#write();
    await this.#expectCopyWhole();
  }

  async hydrate(): Promise<void> {
    await this.#kill('leave', CRASH_POINTS.leave, ['recovery', 'hydrate', this.#id]);
    await mustEnd(this.#trials, 'after a kill', 'recovery', 'resume', this.#id);
    await this.#expectCopyWhole();
    // Left as it is half of the time, so that what is mounted is promoted, too.
    if (this.#trials.chance.fraction() < 0.5) return;
    const ended = await command(this.#trials, 'recovery', 'hydrate', this.#id);
    if (ended.code !== 0 && !ended.errors.includes('stands on its own')) this.#fail(ended.errors);
    await this.#expectCopyWhole();
  }

  async promote(): Promise<void> {
    const { site, chance } = this.#trials;
    await site.server.stop();
    const points = [...CRASH_POINTS.promote, 'leave/unmounted', 'leave/plain'] as const;
    await this.#kill('promote', points, ['recovery', 'promote', this.#id, '--yes']);
    const { status } = await this.#find();
    if (status === 'ready' || status === 'checks-failed') {
      await mustEnd(this.#trials, 'not begun', 'recovery', 'resume', this.#id);
    } else if (chance.fraction() < 0.3) {
      await mustEnd(this.#trials, 'cut', 'recovery', 'undo', this.#id, '--yes');
      await this.#expectProduction('old');
      return;
    }
    if (status !== 'promoted') {
      await mustEnd(this.#trials, 'cut', 'recovery', 'promote', this.#id, '--yes');
    }
    await this.#expectProduction('new');
  }

  async undo(): Promise<void> {
    const before = await this.#find();
    if (before.status === 'promoted') {
      const words = ['recovery', 'undo', this.#id, '--yes'];
      await this.#kill('undo', CRASH_POINTS.undo, words);
      const { status } = await this.#find();
      if (status !== 'undone') await mustEnd(this.#trials, 'cut', ...words);
    }
    await this.#expectProduction('old');
  }

  async remove(): Promise<void> {
    const words = ['recovery', 'remove', this.#id, '--yes'];
    await this.#kill('remove', CRASH_POINTS.remove, words);
    if ((await this.#list()).length > 0) await mustEnd(this.#trials, 'cut', ...words);
    await expectNothingRuns(this.#trials, `${this.#where}, removed`);
    await this.#expectProduction('old');
    const { site } = this.#trials;
    const names = [site.server.dataDirectory, site.uploads].map(async (place) => {
      const beside = await fs.readdir(path.dirname(place));
      return beside.filter((name) => name.startsWith(`${path.basename(place)}.`));
    });
    const left = (await Promise.all(names)).flat();
    if (left.length > 0) this.#fail(`left beside production: ${left.join(', ')}`);
    await site.server.start();
  }

  /** At a named place, or at any instant. */
  async #kill(
    change: CrashingChange,
    points: readonly CrashPointName[],
    words: readonly string[],
  ): Promise<void> {
    const { chance, figures, site, root } = this.#trials;
    if (change !== 'leave' && chance.fraction() < AT_A_NAMED_PLACE) {
      const point = chance.oneOf(points);
      const id = this.#copy?.id ?? '';
      const isKilled = await crashAt(site.place, root, id, change, point).catch((error: Error) => {
        throw new Error(`${point}: ${error.message}`);
      });
      if (isKilled) figures.add('kills');
      figures.add(isKilled ? `at ${point}` : 'places that were not passed');
      return;
    }
    const { code, errors, victim } = await killDuring(this.#trials, words);
    if (code !== null && code > 5) this.#fail(`${words.join(' ')}, ${victim} killed: ${errors}`);
  }

  get #id(): string {
    return this.#copy?.id ?? '';
  }

  #fail(what: string): void {
    this.#trials.fail(`${this.#where}: ${what}`);
  }

  async #list(): Promise<Recovered[]> {
    const { output } = await mustEnd(this.#trials, 'looking', 'recovery', 'list', '--json');
    return (JSON.parse(output) as { recoveries: Recovered[] }).recoveries;
  }

  async #find(): Promise<Recovered> {
    const found = (await this.#list())[0];
    if (!found) throw new Error('the recovery has gone');
    this.#copy = found;
    return found;
  }

  #storeOf(name: string): Store {
    const found = this.#copy?.stores.find(({ store }) => store === name);
    if (!found) throw new Error(`${name} is missing`);
    return found;
  }

  async #write(): Promise<void> {
    const url = await addressOf(this.#storeOf('numbers'));
    await askDatabase(url, `insert into numbers values (${this.#trials.rows + 1})`);
    const file = await fs.open(path.join(this.#storeOf('uploads').directory, 'new'), 'w');
    await file.writeFile(WRITTEN_HERE);
    await file.sync();
    await file.close();
  }

  /** All that was captured, and all that was written here since. */
  async #expectCopyWhole(): Promise<void> {
    await this.#find();
    const url = await addressOf(this.#storeOf('numbers'));
    await this.#expectRows(url, this.#trials.rows + 1, 'the copy');
    await this.#expectFiles(this.#storeOf('uploads').directory, true, 'the copy');
  }

  async #expectRows(url: string, rows: number, what: string): Promise<void> {
    const question = 'select count(*)::int as n, max(n) as top, sum(n)::text as sum from numbers';
    const [row] = await askDatabase(url, question);
    const { n, top, sum } = row as { n: number; top: number; sum: string };
    if (n !== rows || top !== rows || BigInt(sum) !== (BigInt(rows) * BigInt(rows + 1)) / 2n) {
      this.#fail(`${what} has ${n} rows up to ${top}, and not ${rows}`);
    }
  }

  async #expectFiles(folder: string, isNew: boolean, what: string): Promise<void> {
    const bytes = await fs.readFile(path.join(folder, 'one.bin'));
    if (!bytes.equals(this.#trials.uploaded)) this.#fail(`${what}: one.bin is another`);
    const added = await fs.readFile(path.join(folder, 'new'), 'utf8').catch(() => undefined);
    if (added !== (isNew ? WRITTEN_HERE : undefined)) this.#fail(`${what}: new is "${added}"`);
  }

  /** Stopped before, and again after. */
  async #expectProduction(which: 'old' | 'new'): Promise<void> {
    const { site, rows } = this.#trials;
    await site.server.start();
    await this.#expectRows(site.server.url(), which === 'new' ? rows + 1 : rows, 'production');
    await this.#expectFiles(site.uploads, which === 'new', 'production');
    await site.server.stop();
  }

  /** So that the next life begins on what it should. */
  async #clearAway(): Promise<void> {
    const { site } = this.#trials;
    for (const { id, status } of await this.#list()) {
      if (['promoted', 'promoting', 'undoing'].includes(status)) {
        for (let tries = 0; tries < TRIES; tries += 1) {
          const words = ['recovery', 'undo', id, '--yes'];
          if ((await command(this.#trials, ...words)).code === 0) break;
        }
      }
      await command(this.#trials, 'recovery', 'remove', id, '--yes');
    }
    await site.server.start();
  }
}
