/**
 * Which processes are ours, also after a restart of Holdfast: a process number alone may belong to somebody else by
 * then. On Linux each process of a service carries a mark in its environment.
 */
import fs from 'node:fs/promises';
import { hasEnded, type ProcessState, readProcessState } from '#base';

/** The variable that carries the mark. */
export const MARK_VARIABLE = 'HOLDFAST_COPY';

const hasProc = process.platform === 'linux';

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
      const state = await readProcessState(pid);
      const isAlive = state !== undefined && !hasEnded(state);
      return isAlive && (await isWanted(pid, state)) ? [pid] : [];
    }),
  );
  return found.flat();
}
