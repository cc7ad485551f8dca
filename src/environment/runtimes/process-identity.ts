/**
 * Which processes are ours, also after a restart of Holdfast: a process number alone may belong to somebody else by
 * then. On Linux each process of a service carries a mark in its environment, and /proc tells when one began; elsewhere
 * `ps` tells the latter.
 */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import { promisify } from 'node:util';
import { processFields } from '#base';

/** The variable that carries the mark. */
export const MARK_VARIABLE = 'HOLDFAST_COPY';

const hasProc = process.platform === 'linux';

type ProcessState = { state: string; group: number; startTicks: string };

async function readState(pid: number): Promise<ProcessState | undefined> {
  let text: string;
  try {
    text = await fs.readFile(`/proc/${pid}/stat`, 'latin1');
  } catch {
    // Gone between two looks: not a process any more.
    return undefined;
  }
  const fields = processFields(text);
  return { state: fields[0] ?? '', group: Number(fields[2]), startTicks: fields[19] ?? '' };
}

const isDead = (state: string) => state === 'Z' || state === 'X';

let bootId: string | undefined;

/** When a process began, as a text that equals only itself; undefined where it doesn't run. */
export async function beganAt(pid: number): Promise<string | undefined> {
  if (hasProc) {
    const found = await readState(pid);
    if (found === undefined || isDead(found.state)) return undefined;
    bootId ??= (await fs.readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim();
    return `${bootId}/${found.startTicks}`;
  }
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)]);
    return stdout.trim().replace(/\s+/g, ' ') || undefined;
  } catch {
    // `ps` exits with 1 where there is no such process.
    return undefined;
  }
}

/** The living ones that carry the mark, or one that goes on after it with a dot. Empty where the system can't tell. */
export async function markedProcesses(mark: string): Promise<number[]> {
  if (!hasProc) return [];
  const wanted = Buffer.from(`${MARK_VARIABLE}=${mark}`);
  const [END, DOT] = [0, 0x2e];
  return livingProcesses(async (pid) => {
    try {
      const environment = await fs.readFile(`/proc/${pid}/environ`);
      const at = environment.indexOf(wanted);
      const next = environment[at + wanted.length] ?? END;
      return at >= 0 && (environment[at - 1] ?? END) === END && (next === END || next === DOT);
    } catch {
      // Gone, or another user's: then it isn't ours.
      return false;
    }
  });
}

/** The living members of a process group. */
export async function groupMembers(group: number): Promise<number[]> {
  if (hasProc) return livingProcesses(async (_pid, state) => state.group === group);
  try {
    process.kill(-group, 0);
    return [group];
  } catch {
    // No such group.
    return [];
  }
}

async function livingProcesses(
  isWanted: (pid: number, state: ProcessState) => Promise<boolean>,
): Promise<number[]> {
  const names = (await fs.readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    names.map(async (name) => {
      const pid = Number(name);
      const state = await readState(pid);
      const isAlive = state !== undefined && !isDead(state.state);
      return isAlive && (await isWanted(pid, state)) ? [pid] : [];
    }),
  );
  return found.flat();
}
