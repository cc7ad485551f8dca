/** Processes of this host, as /proc tells of them (Linux: proc(5)); elsewhere `ps` tells whether one runs. */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import { promisify } from 'node:util';

export type ProcessState = {
  /** One letter. */
  state: string;
  parent: number;
  group: number;
  /** Of a processor, in user and kernel mode, with that of children that ended and were waited for. */
  processorTicks: number;
  /** When it began, since the machine did. */
  startTicks: string;
};

/** Undefined where there is no such process, or no /proc. */
export async function readProcessState(pid: number | 'self'): Promise<ProcessState | undefined> {
  try {
    return processStateOf(await fs.readFile(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    // Gone, maybe between two looks.
    return undefined;
  }
}

/** Of what stands in `/proc/PID/stat`. */
export function processStateOf(text: string): ProcessState {
  // The name of the program stands in parentheses and may hold anything: fields are counted from the last of them.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    group: Number(fields[2]),
    processorTicks: fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0),
    startTicks: fields[19] ?? '',
  };
}

/** A zombie has ended too: only its parent hasn't noticed yet. */
export function hasEnded({ state }: ProcessState): boolean {
  return state === 'Z' || state === 'X';
}

/** Changes with every start of the host; empty where the system doesn't tell. */
export async function currentBootId(): Promise<string> {
  return fs.readFile('/proc/sys/kernel/random/boot_id', 'latin1').then(
    (text) => text.trim(),
    () => '',
  );
}

/**
 * What tells a process from any other that ever had its number: when it began, as a text that equals only itself.
 * Undefined where it doesn't run.
 */
export async function processIdentity(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return startOf(pid);
  const found = await readProcessState(pid);
  if (found === undefined || hasEnded(found)) return undefined;
  return `${await currentBootId()}/${found.startTicks}`;
}

/** Whether a process that was noted still runs; where its identity wasn't noted, whether any of its number does. */
export async function isSameProcess(pid: number, identity: string | undefined): Promise<boolean> {
  const found = await processIdentity(pid);
  return found !== undefined && (identity === undefined || found === identity);
}

async function startOf(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)]);
    return stdout.trim().replace(/\s+/g, ' ') || undefined;
  } catch {
    // `ps` exits with 1 where there is no such process.
    return undefined;
  }
}
