/** Whether a process that was noted is still the same one and runs: pids are given out again, and dead ones linger. */
import fs from 'node:fs/promises';
import { processFields } from '#base';

/** What tells this process from any other that ever had its pid; undefined where the system doesn't say. */
export async function processIdentity(pid: number): Promise<string | undefined> {
  const stat = await readStat(pid);
  if (!stat) return undefined;
  const boot = await fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return `${boot.trim()}/${stat.startTicks}`;
}

export async function isSameProcess(pid: number, identity: string | undefined): Promise<boolean> {
  if (process.platform !== 'linux') return answersSignals(pid);
  const stat = await readStat(pid);
  // A zombie has ended; only its parent hasn't noticed yet.
  if (!stat || stat.state === 'Z' || stat.state === 'X') return false;
  return identity === undefined || (await processIdentity(pid)) === identity;
}

async function readStat(pid: number): Promise<{ state: string; startTicks: string } | undefined> {
  const text = await fs.readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const fields = processFields(text);
  return { state: fields[0] ?? '', startTicks: fields[19] ?? '' };
}

function answersSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there, but another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
