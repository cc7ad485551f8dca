/** A lock on a file that the kernel lets go when its holder ends, however it ends (flock(2)). */
import fs from 'node:fs/promises';
import { systemCode } from '../errors.ts';
import { checkedCall, libcFunction } from './libc.ts';

const flock = libcFunction<[fd: number, operation: number]>('int flock(int fd, int operation)');
const EXCLUSIVE_WITHOUT_WAITING = 2 | 4;

export type FileLock = { release(): Promise<void> };

/**
 * Undefined where another process holds it. Makes the file; its content is left alone. Holders of one process exclude
 * each other too.
 */
export async function lockFile(file: string): Promise<FileLock | undefined> {
  const handle = await fs.open(file, 'a', 0o600);
  try {
    checkedCall(flock(handle.fd, EXCLUSIVE_WITHOUT_WAITING), 'flock', Buffer.from(file));
  } catch (error) {
    await handle.close();
    if (systemCode(error) === 'EAGAIN' || systemCode(error) === 'EWOULDBLOCK') return undefined;
    throw error;
  }
  return { release: () => handle.close() };
}
