/**
 * Kill: kill -9 of whatever changes a repository or restores from it, at instants drawn over the whole of its duration,
 * on a folder and on a bucket, alone and with another writer beside it. After each: restic finds the repository clean,
 * what was acknowledged is there, and the next run goes on by itself.
 */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { systemClock } from '#base';
import { inLanes } from '../../src/repository/in-lanes.ts';
import {
  type S3TestServer,
  startS3TestServer,
} from '../../src/repository/storage/s3/test-server.ts';
import { type Campaign, type CampaignOptions, type CampaignReport, Figures } from './campaign.ts';
import { Chance } from './chance.ts';
import { OPERATIONS, type Operation } from './kill/operations.ts';
import { manifestOf } from './kill/tree.ts';
import { type Ended, killAfter, start } from './kill/victim.ts';
import { BESIDE, World } from './kill/world.ts';

const LANES = 4;
/** Of three kills one lands on a bucket, for everything takes longer there. */
const PLACES = ['a folder', 'a folder', 'a bucket'] as const;
const WITH_ANOTHER_WRITER = 0.4;
const OTHER_WRITER_KILLED_TOO = 0.5;
/** Where in its duration: starting a process takes a third of it, in which little can happen. */
const EARLIEST = 0.25;
const LATEST = 1.05;
const ALL_READ_EVERY = 10;
/** Of so many runs the shortest tells how long one takes: on a busy machine some take far longer. */
const LAST_RUNS = 3;

export const kill: Campaign = {
  summary: 'kill -9 at random instants of every operation, on a folder and on a bucket',
  count: 500,
  run: runKill,
};

type Place = (typeof PLACES)[number];
type Slot = { name: string; place: Place };

/** `only`: part of the name of an operation or a place. */
export async function runKill(options: CampaignOptions): Promise<CampaignReport> {
  const { seed, note } = options;
  const figures = new Figures();
  const failures: string[] = [];
  const scratch = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-kill-'));
  const slots = slotsOf(options.only);
  const restoreEnv = changeEnv({ XDG_STATE_HOME: path.join(scratch, 'state') });
  let server: S3TestServer | undefined;
  try {
    if (slots.some(({ place }) => place === 'a bucket')) {
      server = await startS3TestServer();
      Object.assign(process.env, server.env);
    }
    const series = slots.map((slot, number) => {
      const make = () => makePlace(slot.place, server, path.join(scratch, `${number}`), number);
      return new Series(slot, seed * 1_000_003 + number, make, figures);
    });
    await inLanes(numbers(options), LANES, async (number) => {
      const failure = await (series[(number + seed) % series.length] as Series).next();
      figures.add('kills');
      if (failure !== undefined) failures.push(failure);
      const done = figures.get('kills');
      if (failure !== undefined || done % 20 === 0) {
        note(`${done} kills, ${failures.length} failures ${failure ?? ''}`);
      }
    });
  } finally {
    await server?.stop();
    restoreEnv();
    await fs.rm(scratch, { recursive: true, force: true });
  }
  return { figures: figures.toJSON(), failures };
}

function* numbers({ count, minutes }: CampaignOptions): Iterable<number> {
  const beganMs = systemClock.monotonicMs();
  const isOver = (number: number) =>
    minutes === undefined
      ? number >= count
      : systemClock.monotonicMs() - beganMs > minutes * 60_000;
  for (let number = 0; !isOver(number); number += 1) yield number;
}

/** Operations at places, which take turns. */
function slotsOf(only = ''): Slot[] {
  const all = PLACES.flatMap((place) => Object.keys(OPERATIONS).map((name) => ({ name, place })));
  const chosen = all.filter((slot) => nameOf(slot).includes(only));
  if (chosen.length > 0) return chosen;
  throw new Error(`"${only}" is in none of: ${[...new Set(all.map(nameOf))].join(', ')}`);
}

const nameOf = ({ name, place }: { name: string; place: Place }) => `${name} on ${place}`;

type Prepared = { location: string; scratch: string };

async function makePlace(
  place: Place,
  server: S3TestServer | undefined,
  scratch: string,
  number: number,
): Promise<Prepared> {
  await fs.mkdir(scratch);
  if (place === 'a folder' || !server) {
    return { location: path.join(scratch, 'repository'), scratch };
  }
  await server.makeBucket(`kill-${number}`);
  return { location: `s3:${server.endpoint}/kill-${number}/of`, scratch };
}

/** One operation, killed again and again in one repository. */
class Series {
  readonly #slot: Slot;
  readonly #operation: Operation;
  readonly #seed: number;
  readonly #chance: Chance;
  readonly #makePlace: () => Promise<Prepared>;
  readonly #figures: Figures;
  readonly #tookMs: number[] = [];
  #world: World | undefined;
  #number = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(slot: Slot, seed: number, makePlace: () => Promise<Prepared>, figures: Figures) {
    this.#slot = slot;
    this.#operation = OPERATIONS[slot.name] as Operation;
    this.#seed = seed;
    this.#chance = new Chance(seed);
    this.#makePlace = makePlace;
    this.#figures = figures;
  }

  /** Kills once more, after whoever is at it. Resolves to what failed. */
  next(): Promise<string | undefined> {
    const turn = this.#turn.then(() => this.#next());
    this.#turn = turn;
    return turn;
  }

  async #next(): Promise<string | undefined> {
    const number = this.#number;
    this.#number += 1;
    const failures: string[] = [];
    let delay = 'at the start';
    try {
      const world = this.#world ?? (await this.#begin());
      const delayMs = this.#drawDelayMs();
      delay = `after ${Math.round(delayMs)} of ${Math.round(this.#durationMs)} ms`;
      await this.#killOnce(world, number, delayMs);
    } catch (error) {
      failures.push(error instanceof Error ? (error.stack ?? error.message) : `${error}`);
    }
    failures.push(...(this.#world?.failures.splice(0) ?? []));
    if (failures.length === 0) return undefined;
    return `${nameOf(this.#slot)}, kill ${number} ${delay}: ${failures.join('; ')}`;
  }

  /** Measures how long it takes. */
  async #begin(): Promise<World> {
    const { location, scratch } = await this.#makePlace();
    const world = await World.make(location, scratch, new Chance(this.#seed + 1));
    await this.#operation.prepare(world);
    await this.#undisturbed(world, this.#operation.program(world));
    this.#world = world;
    return world;
  }

  async #killOnce(world: World, number: number, delayMs: number): Promise<void> {
    const operation = this.#operation;
    await operation.prepare(world);
    const before = await this.#traces(world);
    const hasOther = this.#chance.fraction() < WITH_ANOTHER_WRITER;
    if (hasOther) await world.beside.change();
    const program = operation.program(world);
    const other = hasOther ? start(world.backupProgram(BESIDE)) : undefined;
    const otherDies = this.#chance.fraction() < OTHER_WRITER_KILLED_TOO;
    const otherDelayMs = otherDies ? this.#drawDelayMs() : 120_000;
    const [ended, otherEnded] = await Promise.all([
      killAfter(start(program), delayMs),
      other && killAfter(other, otherDelayMs),
    ]);
    await this.#hear(world, ended, otherEnded, before);
    await world.verify((number + 1) % ALL_READ_EVERY === 0 ? 'all' : 'newest');
    if (await this.#undisturbed(world, operation.again?.(world) ?? operation.program(world))) {
      this.#figures.add('went on by itself');
    }
    if ((number + 1) % ALL_READ_EVERY === 0) {
      for (const known of world.known.slice(-2)) await world.resticRestores(known);
    }
  }

  async #hear(
    world: World,
    ended: Ended,
    otherEnded: Ended | undefined,
    before: string,
  ): Promise<void> {
    const landed = await this.#landing(world, ended, otherEnded !== undefined, before);
    this.#figures.add(`landed ${landed}`);
    this.#figures.add(nameOf(this.#slot));
    if (otherEnded) this.#hearOther(world, otherEnded);
    await this.#operation.after?.(world, ended);
  }

  #hearOther(world: World, ended: Ended): void {
    const { refuses } = this.#operation;
    if (ended.code === null) this.#figures.add('with another writer, killed too');
    else if (ended.code === 0) this.#figures.add('with another writer that went on');
    else if (refuses !== undefined && ended.stdout.includes(refuses)) {
      this.#figures.add('with another writer, rightly refused');
    } else world.failures.push(`the other writer: ${lastWords(ended)}`);
    world.hearBackup(BESIDE, ended);
  }

  async #landing(world: World, ended: Ended, hadOther: boolean, before: string): Promise<string> {
    if (ended.code === 0) return 'after its end';
    if (ended.code !== null) {
      // Locked by the other one, or left for later because of it.
      if (hadOther && (ended.code === 4 || ended.code === 3)) return 'after it gave way';
      world.failures.push(`it failed by itself: ${lastWords(ended)}`);
    }
    if (hadOther) return 'inside or before, with another writer';
    return (await this.#traces(world)) === before ? 'before any change' : 'between changes';
  }

  /** True where it went through; its time tells where the next kill may fall. */
  async #undisturbed(world: World, program: ReturnType<Operation['program']>): Promise<boolean> {
    const ended = await start(program).ended;
    if (ended.code !== 0) {
      world.failures.push(`the next run: ${lastWords(ended)}`);
      return false;
    }
    this.#tookMs.push(ended.tookMs);
    await this.#operation.after?.(world, ended);
    await this.#operation.done?.(world, ended);
    return true;
  }

  get #durationMs(): number {
    return Math.min(...this.#tookMs.slice(-LAST_RUNS));
  }

  #drawDelayMs(): number {
    return this.#durationMs * (EARLIEST + (LATEST - EARLIEST) * this.#chance.fraction());
  }

  /** Equal before and after where nothing was changed. */
  async #traces(world: World): Promise<string> {
    const stored = await world.stored();
    const folder = this.#operation.folder?.(world);
    const there = folder === undefined ? [] : await manifestOf(folder).catch(() => []);
    return JSON.stringify([stored, [...there]]);
  }
}

function lastWords({ code, stdout, stderr }: Ended): string {
  return `${code} ${`${stdout}\n${stderr}`.trim().slice(-600)}`;
}

/** Gives back what undoes it. */
function changeEnv(change: Record<string, string>): () => void {
  const before = { ...process.env };
  Object.assign(process.env, change);
  return () => {
    process.env = before;
  };
}
