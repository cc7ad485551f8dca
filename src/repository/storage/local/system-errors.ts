/** What the operating system says, in the repository's words. */
import { HoldfastError, messageOf, systemCode } from '#base';
import { errors } from '../../errors.ts';

export function storageError(
  error: unknown,
  operation: string,
  name: string,
  location: string,
): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const detail = { cause: error };
  switch (systemCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return errors.notInStorage([name, location], detail);
    case 'ENOSPC':
    case 'EDQUOT':
      return errors.storageFull([location], detail);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return errors.storageDenied([operation, name, location], detail);
    default:
      return errors.storageFailed([operation, name, location, messageOf(error)], detail);
  }
}
