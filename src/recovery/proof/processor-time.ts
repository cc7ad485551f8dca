/** How much processor time was used by this process, by what it started, and by a mount service. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { readProcessState } from '#base';

/** `sysconf(_SC_CLK_TCK)` is 100 on every Linux that Node runs on. */
const MS_PER_TICK = 10;

/** Of this process, and of its children (and theirs) that have ended: servers of copies too, once they are stopped. */
export async function ownProcessorMs(): Promise<number> {
  const known = await processorMsOf('self');
  if (known !== undefined) return known;
  // Not on Linux: then of this process alone.
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Of the process whose words go into the log of this folder, which is how a mount service is known; 0 where none runs. */
export async function serviceProcessorMs(serviceFolder: string): Promise<number> {
  const log = path.join(serviceFolder, 'log');
  const names = await fs.readdir('/proc').catch(() => []);
  const used = await Promise.all(
    names
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .map(async (pid) => ((await writesTo(pid, log)) ? ((await processorMsOf(pid)) ?? 0) : 0)),
  );
  return used.reduce((sum, one) => sum + one, 0);
}

async function writesTo(pid: number, file: string): Promise<boolean> {
  try {
    return (await fs.readlink(`/proc/${pid}/fd/1`)) === file;
  } catch {
    // Another user's, or gone meanwhile.
    return false;
  }
}

async function processorMsOf(pid: number | 'self'): Promise<number | undefined> {
  const found = await readProcessState(pid);
  return found && found.processorTicks * MS_PER_TICK;
}
