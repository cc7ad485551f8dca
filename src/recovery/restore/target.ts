/** The folder that a restore writes into, and what its failures mean. */
import { promises as fs } from 'node:fs';
import { formatSize, messageOf, systemCode } from '#base';
import { errors } from '../errors.ts';
import type { RestoreRequest } from './request.ts';

/**
 * Makes the target where it is absent, refuses one that isn't empty unless something else was asked for.
 * Resolves to its real path. Throws `recovery/target-not-empty`, `-not-a-folder`, `-not-writable`, `-full`.
 */
export async function prepareTarget(
  target: string,
  existing: NonNullable<RestoreRequest['existing']>,
): Promise<Buffer> {
  try {
    await fs.mkdir(target, { recursive: true, mode: 0o700 });
    const real = await fs.realpath(target, { encoding: 'buffer' });
    if (existing === 'refuse' && !(await isEmpty(real))) throw errors.targetNotEmpty([target]);
    await fs.access(real, fs.constants.W_OK | fs.constants.X_OK);
    return real;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST' || code === 'ENOTDIR') {
      throw errors.targetNotAFolder([target], { cause: error });
    }
    throw (await graveError(error, target)) ?? error;
  }
}

async function isEmpty(directory: Buffer): Promise<boolean> {
  const handle = await fs.opendir(directory as unknown as string, { bufferSize: 1 });
  try {
    return (await handle.read()) === null;
  } finally {
    await handle.close();
  }
}

/** The error to stop with where a failure concerns the whole target and not one entry; else undefined. */
export async function graveError(error: unknown, target: string): Promise<Error | undefined> {
  switch (systemCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return errors.targetFull([target, await freeSpace(target)], { cause: error });
    case 'EROFS':
      return errors.targetNotWritable([target, 'the file system is mounted read-only'], {
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
      return errors.targetNotWritable([target, 'permission denied'], { cause: error });
    default:
      return undefined;
  }
}

/** True for failures after which every further entry would fail too. */
export function isGrave(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EROFS'].includes(systemCode(error) ?? '');
}

/** For messages: `12 MiB`, or why it isn't known. */
export async function freeSpace(target: string): Promise<string> {
  try {
    const { bavail, bsize } = await fs.statfs(target);
    return formatSize(bavail * bsize);
  } catch (error) {
    return `unknown (${messageOf(error)})`;
  }
}
