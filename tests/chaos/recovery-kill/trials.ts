/** What every trial on a site needs, and how a command is killed, or what works for it. */
import { sleepMs, systemClock } from '#base';
import {
  mountsIn,
  processesIn,
  runHoldfast,
  startHoldfast,
} from '../../end-to-end/site/command.ts';
import type { ProtectedSite } from '../../end-to-end/site/protected-site.ts';
import type { Figures } from '../campaign.ts';
import type { Chance } from '../chance.ts';

export type Trials = {
  site: ProtectedSite;
  /** Folder of the recoveries. */
  root: string;
  rows: number;
  uploaded: Buffer;
  chance: Chance;
  figures: Figures;
  /** Says what must never be. */
  fail: (what: string) => void;
};

export type Ended = { code: number | null; output: string; errors: string };

/** Where in the time that a command takes: starting it takes a fifth, in which nothing happens. */
const EARLIEST = 0.2;
const LATEST = 1.05;
const NO_STACK = /^\s+at |node:internal/m;

/** What may be killed while a command works. */
export const VICTIMS = ['command', 'command', 'mounts', 'Postgres', 'all'] as const;
type Victim = (typeof VICTIMS)[number];

/** How long a command took when nothing was killed, ms, by its first words. */
const lastTookMs = new Map<string, number>();

export const commandOf = ({ site, root }: Trials, words: readonly string[]) =>
  [site.place, [...words, '--target', root]] as const;

/** To its end; what it says must be for people. */
export async function command(trials: Trials, ...words: string[]): Promise<Ended> {
  const begunMs = systemClock.monotonicMs();
  const ended = await runHoldfast(...commandOf(trials, words));
  if (ended.code === 0) lastTookMs.set(kindOf(words), systemClock.monotonicMs() - begunMs);
  if (NO_STACK.test(ended.errors)) trials.fail(`${words.join(' ')}: ${ended.errors}`);
  return ended;
}

/** Fails where it doesn't come to its end. */
export async function mustEnd(trials: Trials, where: string, ...words: string[]): Promise<Ended> {
  const ended = await command(trials, ...words);
  if (ended.code !== 0) {
    throw new Error(`${where}: ${words.join(' ')} ended with ${ended.code}: ${ended.errors}`);
  }
  return ended;
}

/** Kills something at a random instant of a command, and waits for its end. */
export async function killDuring(
  trials: Trials,
  words: readonly string[],
): Promise<Ended & { victim: Victim }> {
  const { chance, figures, fail } = trials;
  const victim = chance.oneOf(VICTIMS);
  const running = startHoldfast(...commandOf(trials, words));
  const tookMs = lastTookMs.get(kindOf(words)) ?? 4_000;
  await Promise.race([
    sleepMs(tookMs * (EARLIEST + (LATEST - EARLIEST) * chance.fraction())),
    running.ended,
  ]);
  if (running.child.exitCode !== null) figures.add('came to their end before');
  if (victim === 'command' || victim === 'all') running.child.kill('SIGKILL');
  if (victim === 'mounts' || victim === 'all') await killAll(trials, 'mount/service/main.ts');
  if (victim === 'Postgres' || victim === 'all') await killAll(trials, '/postgres -D');
  const ended = await running.ended;
  figures.add('kills');
  figures.add(`${kindOf(words)}: killed ${victim}`);
  if (NO_STACK.test(ended.errors)) fail(`${words.join(' ')}, ${victim} killed: ${ended.errors}`);
  return { ...ended, victim };
}

const kindOf = (words: readonly string[]) =>
  words.slice(0, words[0] === 'recovery' ? 2 : 1).join(' ');

/** Of the recoveries and what serves them, never of production. */
async function killAll({ site, root }: Trials, words: string): Promise<void> {
  const folder = words.startsWith('/postgres') ? root : site.folder;
  for (const line of await processesIn(folder)) {
    if (!line.includes(words)) continue;
    try {
      process.kill(Number.parseInt(line, 10), 'SIGKILL');
    } catch {
      // It had ended by then.
    }
  }
}

/** Nothing is mounted and nothing runs on anything below the folder of the recoveries. */
export async function expectNothingRuns(trials: Trials, where: string): Promise<void> {
  const [mounts, processes] = await Promise.all([mountsIn(trials.root), processesIn(trials.root)]);
  if (mounts.length > 0) trials.fail(`${where}: left mounted: ${mounts.join(', ')}`);
  if (processes.length > 0) trials.fail(`${where}: left running: ${processes.join('; ')}`);
}
