/** Has a recovery made or changed by a process that kills itself at a named place. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import type { CrashPointName } from '#recovery';
import type { Place } from './command.ts';

const SCRIPT = path.join(import.meta.dirname, 'change-and-crash.ts');

export type CrashingChange = 'mount' | 'write-out' | 'leave' | 'promote' | 'undo' | 'remove';

/** False where it came to its end, for it never passed there. Rejects where it failed. */
export async function crashAt(
  { cwd, env }: Place,
  root: string,
  id: string,
  change: CrashingChange,
  point: CrashPointName,
): Promise<boolean> {
  const words = [SCRIPT, path.join(cwd, 'holdfast.yaml'), root, id, change, point];
  const child = spawn(process.execPath, words, {
    ...{ cwd, env: { ...process.env, ...env } },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (bytes) => {
    said += bytes;
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject).once('close', (...ended) => resolve(ended));
  });
  if (signal === 'SIGKILL') return true;
  if (code === 0) return false;
  throw new Error(`${change}, to be killed at ${point}, failed: ${said}`);
}
