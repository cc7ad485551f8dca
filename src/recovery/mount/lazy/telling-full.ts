/** Says where there was no room. */
import { systemCode } from '#base';
import { errors } from '../../errors.ts';
import { freeSpace } from '../../restore/target.ts';

/** What the work rejects with, or `recovery/mount-full` where the folder's disk was full. */
export async function tellingFull<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!['ENOSPC', 'EDQUOT'].includes(systemCode(error) ?? '')) throw error;
    throw errors.mountFull([folder, await freeSpace(folder)], { cause: error });
  }
}
