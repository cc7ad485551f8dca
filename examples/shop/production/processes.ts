/** The shop's init system, small: processes by name, with a pid file and a log each. */
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';

export type ProcessPlan = {
  name: string;
  command: readonly string[];
  cwd: string;
  env: Record<string, string>;
  user?: { uid: number; gid: number };
  /** Resolves true when it serves. */
  isReady(): Promise<boolean>;
  stopSignal: NodeJS.Signals;
};

const WAIT_MS = 120_000;
const POLL_MS = 25;

const pidFile = (folder: string, name: string) => path.join(folder, 'run', `${name}.pid`);

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // ESRCH: it has ended.
    return false;
  }
}

export async function runningPid(folder: string, name: string): Promise<number | undefined> {
  const text = await fs.readFile(pidFile(folder, name), 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  return pid > 0 && isAlive(pid) ? pid : undefined;
}

export async function waitUntil(
  condition: () => Promise<boolean>,
  what: string,
  pollMs = POLL_MS,
): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** Starts it unless it runs; resolves when it serves. */
export async function startProcess(folder: string, plan: ProcessPlan): Promise<void> {
  if (await runningPid(folder, plan.name)) return;
  await fs.mkdir(path.join(folder, 'run'), { recursive: true });
  const log = await fs.open(path.join(folder, 'run', `${plan.name}.log`), 'a');
  const [program, ...words] = plan.command;
  const child = spawn(program as string, words, {
    cwd: plan.cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...plan.env },
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    ...plan.user,
  });
  await new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.unref();
  await log.close();
  await fs.writeFile(pidFile(folder, plan.name), `${child.pid}\n`);
  await waitUntil(async () => {
    if (child.exitCode !== null)
      throw new Error(`${plan.name} ended: see ${folder}/run/${plan.name}.log`);
    return await plan.isReady().catch(() => false);
  }, `${plan.name} to serve`);
}

/** Stops it if it runs; resolves when it is gone. */
export async function stopProcess(
  folder: string,
  name: string,
  signal: NodeJS.Signals,
): Promise<void> {
  const pid = await runningPid(folder, name);
  if (pid !== undefined) {
    process.kill(pid, signal);
    await waitUntil(async () => !isAlive(pid), `${name} to end`);
  }
  await fs.rm(pidFile(folder, name), { force: true });
}
