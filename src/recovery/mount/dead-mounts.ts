/** Mount points below a folder that are ours, and taking away those whose process has gone. */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import { promisify } from 'node:util';
import { systemCode } from '#base';
import { unmountLines } from './fuse/mount-way.ts';

const OURS = 'fuse.holdfast';

/** Absolute, in the order in which they were mounted. Looks at none of them: one that is dead would answer with an error. */
export async function mountPointsBelow(folder: string): Promise<string[]> {
  const lines = (await fs.readFile('/proc/self/mounts', 'utf8')).split('\n');
  return lines.flatMap((line) => {
    const [, place = '', type] = line.split(' ');
    const plain = place.replaceAll(/\\([0-7]{3})/g, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 8)),
    );
    return type === OURS && (plain === folder || plain.startsWith(`${folder}/`)) ? [plain] : [];
  });
}

/**
 * Detaches those that nobody serves any more; resolves to them. Usually what outlives the process that served has done so
 * already: this is for where that was killed, too.
 */
export async function detachDeadMounts(folder: string): Promise<string[]> {
  const dead: string[] = [];
  for (const place of await mountPointsBelow(folder)) {
    if (!(await isDead(place))) continue;
    await detach(place);
    dead.push(place);
  }
  return dead;
}

/** Whoever serves them: the last one that was mounted first. */
export async function detachAll(folder: string): Promise<void> {
  for (const place of (await mountPointsBelow(folder)).reverse()) await detach(place);
}

/** Nothing where it isn't mounted any more. */
export async function detach(place: string): Promise<void> {
  try {
    const { anyhow } = await unmountLines();
    await runLine(anyhow, place);
  } catch (error) {
    // Somebody else may have been quicker.
    if ((await mountPointsBelow(place)).includes(place)) throw error;
  }
}

/** False where a program has something in it open: then it stays. */
export async function unmountIdle(place: string): Promise<boolean> {
  const { idle } = await unmountLines();
  try {
    await runLine(idle, place);
    return true;
  } catch {
    return !(await mountPointsBelow(place)).includes(place);
  }
}

const runLine = (line: string, place: string) =>
  promisify(execFile)('sh', ['-c', line, 'holdfast-unmount', place]);

/** The kernel knows by itself that nobody holds the device any more: it asks nobody, and nothing hangs. */
async function isDead(place: string): Promise<boolean> {
  try {
    await fs.statfs(place);
    return false;
  } catch (error) {
    return systemCode(error) === 'ENOTCONN' || systemCode(error) === 'ECONNABORTED';
  }
}
