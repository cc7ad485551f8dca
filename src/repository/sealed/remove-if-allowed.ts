import { isHoldfastError } from '#base';
import type { SealedFiles } from './sealed-files.ts';

/**
 * For what is redundant and harms nobody where it stays: credentials that may only add leave it to a rule of the bucket
 * or to the maintenance. False where it had to stay.
 */
export async function removeIfAllowed(
  { sealed }: { sealed: SealedFiles },
  name: string,
): Promise<boolean> {
  try {
    await sealed.remove(name);
    return true;
  } catch (error) {
    if (!isHoldfastError(error, 's3/denied')) throw error;
    return false;
  }
}
