import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { sleepMs, systemClock, systemCode } from '#base';
import { errors } from '../errors.ts';
import { type OsUser, runAs } from './os-user.ts';

const POLL_MS = 10;
const FAST_STOP_MS = 60_000;
const REAPING_MS = 10_000;
const LOG_TAIL_BYTES = 4096;

export type PostmasterRequest = {
  binaries: string;
  directory: string;
  configFile: string;
  logFile: string;
  user: OsUser;
  /** Extra settings, `name=value`. */
  settings?: string[];
  /**
   * What it must have come to. Default `ready`; a standby without connections stays a `standby`, and is `promoted` at the
   * end of the WAL that it is given.
   */
  until?: 'ready' | 'standby' | 'promoted';
};

/**
 * Starts a server that outlives this process, and resolves to its process id when it takes connections, which is after
 * recovery, or is what else it was to become. How long that takes depends on the WAL; abort to give up.
 * @throws postgres/recovery-failed with the end of the log, or the signal's reason
 */
export async function startPostmaster(
  request: PostmasterRequest,
  signal: AbortSignal,
): Promise<number> {
  const former = await readPidFile(request.directory);
  if (former && !(await isServerOf(former.pid, request.directory))) await untilReaped(former.pid);
  const log = await fs.open(request.logFile, 'a', 0o600);
  await log.chown(request.user.uid, request.user.gid);
  const from = (await log.stat()).size;
  const settings = (request.settings ?? []).flatMap((setting) => ['-c', setting]);
  const child = spawn(
    path.join(request.binaries, 'postgres'),
    ['-D', request.directory, '-c', `config_file=${request.configFile}`, ...settings],
    {
      ...runAs(request.user),
      cwd: '/',
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: process.env.LC_ALL ?? 'C' },
    },
  );
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve());
  });
  child.unref();
  await log.close();
  const isOver = ended.then(async () => {
    throw errors.recoveryFailed([await lastWords(request.logFile, from)]);
  });
  try {
    return await Promise.race([untilReached(request, child.pid, signal), isOver]);
  } catch (error) {
    isOver.catch(() => {
      // Already told, or the end of the one that is stopped here.
    });
    await stopPostmaster(request.directory, 'immediate');
    throw error;
  }
}

async function untilReached(
  { directory, until = 'ready' }: PostmasterRequest,
  pid: number | undefined,
  signal: AbortSignal,
): Promise<number> {
  let wanted = until === 'promoted' ? 'standby' : until;
  while (true) {
    const state = await readPidFile(directory);
    if (state !== undefined && state.pid === pid && state.status === wanted) {
      if (until !== 'promoted' || wanted === 'ready') return state.pid;
      await tellToPromote(directory, state.pid);
      wanted = 'ready';
    }
    await sleepMs(POLL_MS, signal);
  }
}

/**
 * As `pg_ctl promote` does it. A standby looks for it only where it finds no more WAL, in the archive or here: told before
 * that, it replays all that there is, as it would without.
 */
async function tellToPromote(directory: string, pid: number): Promise<void> {
  await fs.writeFile(path.join(directory, 'promote'), '', { mode: 0o600 });
  process.kill(pid, 'SIGUSR1');
}

/** The id of the server that runs in this directory, or undefined. */
export async function runningPostmaster(directory: string): Promise<number | undefined> {
  const state = await readPidFile(directory);
  return state !== undefined && (await isServerOf(state.pid, directory)) ? state.pid : undefined;
}

/** Stops the server of this directory, if one runs, and waits for its end. Idempotent. */
export async function stopPostmaster(
  directory: string,
  mode: 'fast' | 'immediate' = 'fast',
): Promise<void> {
  const pid = await runningPostmaster(directory);
  if (pid === undefined) return await stopStranded(directory);
  process.kill(pid, mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
  const deadlineMs = systemClock.monotonicMs() + FAST_STOP_MS;
  let isForced = mode === 'immediate';
  while (await isServerOf(pid, directory)) {
    if (!isForced && systemClock.monotonicMs() > deadlineMs) {
      isForced = true;
      process.kill(pid, 'SIGQUIT');
    }
    await sleepMs(POLL_MS);
  }
  await untilReaped(pid);
}

/**
 * Ends a server whose directory was taken away under it, as a mount is whose process was killed: it would go on for ever,
 * and only its command line still says where it was at work.
 */
async function stopStranded(directory: string): Promise<void> {
  const pid = await strandedPostmaster(directory);
  if (pid === undefined) return;
  process.kill(pid, 'SIGQUIT');
  const deadlineMs = systemClock.monotonicMs() + FAST_STOP_MS;
  while ((await strandedPostmaster(directory)) === pid) {
    if (systemClock.monotonicMs() > deadlineMs) process.kill(pid, 'SIGKILL');
    await sleepMs(POLL_MS);
  }
  await untilReaped(pid);
}

/**
 * One that ended keeps its id until its parent takes notice, and to the next server of the same directory that looks
 * like a running one. A parent that never does is waited for no longer than that.
 */
async function untilReaped(pid: number): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + REAPING_MS;
  while (isAlive(pid) && systemClock.monotonicMs() < deadlineMs) await sleepMs(POLL_MS);
}

async function strandedPostmaster(directory: string): Promise<number | undefined> {
  const parent = await fs.realpath(path.dirname(directory)).catch(() => path.dirname(directory));
  const named = path.join(parent, path.basename(directory));
  const processes = await fs.readdir('/proc').catch(() => []);
  for (const pid of processes.filter((name) => /^\d+$/.test(name))) {
    const command = commandLineOf(pid);
    const [program = '', option, where] = command.split('\0');
    if (path.basename(program) !== 'postgres' || option !== '-D') continue;
    if (where === named || where === directory) return Number(pid);
  }
  return undefined;
}

/** At once: nothing is read from any disk, and of hundreds of processes each would wait for a thread. */
function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // It ended since it was listed.
    return '';
  }
}

/** Applies changed configuration files. */
export function reloadPostmaster(pid: number): void {
  process.kill(pid, 'SIGHUP');
}

/** postmaster.pid: process id in line 1, status in line 8 (PostgreSQL: utils/pidfile.h). */
async function readPidFile(
  directory: string,
): Promise<{ pid: number; status: string } | undefined> {
  try {
    const lines = (await fs.readFile(path.join(directory, 'postmaster.pid'), 'utf8')).split('\n');
    const pid = Number.parseInt(lines[0] ?? '', 10);
    return pid > 0 ? { pid, status: (lines[7] ?? '').trim() } : undefined;
  } catch (error) {
    // ENOTCONN: mounted, and whoever served it is gone.
    if (['ENOENT', 'ENOTCONN'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}

/** Alive, and at work in this directory: a process id may have been given to another since. */
async function isServerOf(pid: number, directory: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
    const workingDirectory = await fs.readlink(`/proc/${pid}/cwd`);
    return workingDirectory === (await fs.realpath(directory));
  } catch (error) {
    // Without /proc, or where another user's may not be looked at, being alive is what can be known.
    const code = systemCode(error);
    return code === 'EACCES' || (code === 'ENOENT' && !(await hasProc()) && isAlive(pid));
  }
}

async function hasProc(): Promise<boolean> {
  return fs.access('/proc/self').then(
    () => true,
    () => false,
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // ESRCH: it has ended.
    return false;
  }
}

/** The lines of the log that say why, else its end. */
async function lastWords(logFile: string, from: number): Promise<string> {
  const text = (await fs.readFile(logFile)).subarray(from).subarray(-LOG_TAIL_BYTES).toString();
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const grave = lines.filter((line) => /FATAL|PANIC/.test(line));
  return (grave.length > 0 ? grave : lines.slice(-5)).join('; ');
}
