import fs from 'node:fs/promises';
import { systemCode } from './errors.ts';

/** Whether an entry of this name is there, be it a link that leads nowhere. Throws where that can't be known. */
export async function entryExists(path: string): Promise<boolean> {
  try {
    await fs.lstat(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Whether this process can get at it, links followed; false whatever stands in the way. */
export async function isReachable(path: string): Promise<boolean> {
  return fs.access(path).then(
    () => true,
    () => false,
  );
}
