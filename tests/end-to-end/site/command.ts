/** `holdfast` as people run it: a process of its own, which can be sent signals while it works. */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { sleepMs, systemClock } from '#base';

const program = path.resolve(import.meta.dirname, '../../../src/cli/main.ts');

export type Ended = { code: number | null; output: string; errors: string };
export type Running = { child: ChildProcess; ended: Promise<Ended>; said(): string };
export type Place = { cwd: string; env: Record<string, string> };

export function startHoldfast(place: Place, words: readonly string[]): Running {
  const child = spawn(process.execPath, [program, ...words], {
    cwd: place.cwd,
    env: { ...process.env, ...place.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout?.on('data', (bytes) => {
    output += bytes;
  });
  child.stderr?.on('data', (bytes) => {
    errors += bytes;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output, errors }));
  });
  return { child, ended, said: () => output + errors };
}

export const runHoldfast = (place: Place, words: readonly string[]): Promise<Ended> =>
  startHoldfast(place, words).ended;

/** The object that it printed last; fails where it printed none. */
export async function askHoldfast<T>(place: Place, words: readonly string[]): Promise<T> {
  const { output, errors } = await runHoldfast(place, [...words, '--json']);
  const line = output.trim().split('\n').at(-1) ?? '';
  if (!line.startsWith('{') && !line.startsWith('[')) throw new Error(`no JSON: ${line}${errors}`);
  return JSON.parse(line) as T;
}

const DEADLINE_MS = 120_000;

/** Looks until there is something; fails after two minutes. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined>,
  everyMs = 100,
): Promise<T> {
  const deadlineMs = systemClock.monotonicMs() + DEADLINE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`never: ${what}`);
    await sleepMs(everyMs);
  }
}

/** Processes whose command line, folder or variables name this folder, besides this one and its children's shells. */
export async function processesIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await fs.readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    const read = (file: string) => fs.readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    const cwd = await fs.readlink(`/proc/${pid}/cwd`).catch(() => '');
    const command = await read('cmdline');
    if (`${cwd}\0${command}\0${await read('environ')}`.includes(folder)) {
      found.push(`${pid} ${command.replaceAll('\0', ' ')}`);
    }
  }
  return found;
}

/** Places in this folder where something is mounted. */
export async function mountsIn(folder: string): Promise<string[]> {
  const lines = (await fs.readFile('/proc/self/mounts', 'utf8')).split('\n');
  const places = lines.map((line) => line.split(' ')[1]?.replaceAll('\\040', ' ') ?? '');
  return places.filter((place) => place.startsWith(`${folder}/`));
}
