/** Processes of their own that are killed: the real command line, and programs where it has no words. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { sleepMs, systemClock } from '#base';

const CHECKOUT = path.resolve(import.meta.dirname, '../../..');

export type Ended = {
  /** Null where it was killed. */
  code: number | null;
  stdout: string;
  stderr: string;
  tookMs: number;
};

export type Victim = { child: ChildProcess; ended: Promise<Ended> };

export type Program = {
  /** Words for `holdfast`, or a file of TypeScript with its own words. */
  words: readonly string[];
  file?: string;
  env: Record<string, string>;
};

/** In a group of its own, so that a kill leaves nothing of it behind. */
export function start({ words, file, env }: Program): Victim {
  const command = file === undefined ? path.join(CHECKOUT, 'bin/holdfast') : process.execPath;
  const child = spawn(command, file === undefined ? words : [file, ...words], {
    detached: true,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const beganMs = systemClock.monotonicMs();
  const ended = new Promise<Ended>((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, stdout, stderr, tookMs: systemClock.monotonicMs() - beganMs });
    });
  });
  return { child, ended };
}

/** By SIGKILL after so long, with everything that it started; what it said until then. */
export async function killAfter(victim: Victim, delayMs: number): Promise<Ended> {
  const timeout = new AbortController();
  const timer = sleepMs(delayMs, timeout.signal).catch(() => {});
  await Promise.race([timer, victim.ended]);
  timeout.abort();
  const { pid, exitCode, signalCode } = victim.child;
  if (pid !== undefined && exitCode === null && signalCode === null) killGroup(pid);
  return await victim.ended;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // It ended since we looked.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
