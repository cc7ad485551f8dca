/**
 * The first step of opening: it waits for the key that is derived from the password, and needs little code. An entry of
 * its own (`#repository/unlock`), so that all else can be loaded meanwhile.
 */
import { returnLargeMemory, type Secret } from '#base';
import { hasConfig } from './config.ts';
import type { MasterKey } from './crypto/master-key.ts';
import { errors } from './errors.ts';
import { openMasterKey } from './keys/keys.ts';
import { withRetries } from './storage/retry.ts';
import type { Storage } from './storage/storage.ts';

export { DecodeThreads } from './blobs/decode-threads.ts';
export { openStorage } from './storage/all.ts';
export { storageOptionsOf } from './storage/option-words.ts';
export { readingAhead } from './storage/reading-ahead.ts';

/** What follows, and the holds: half of this layer's code, for who needs no more of it. */
export const loadOpening = () => import('./open-unlocked.ts');
export const loadHolds = () => import('./forget/holds.ts');

/** `keyId`: of the key file that the password opened. */
export type Unlocked = { storage: Storage; masterKey: MasterKey; keyId: string };

/**
 * `onDeriving`: told when the key is being derived, in another thread. Throws `repository/no-repository`,
 * `repository/wrong-password`, `repository/no-keys`.
 */
export async function unlockRepository(
  inner: Storage,
  password: Secret,
  onDeriving?: () => void,
): Promise<Unlocked> {
  returnLargeMemory();
  const storage = withRetries(inner);
  if (!(await hasConfig(storage))) throw errors.noRepository([storage.location]);
  return { storage, ...(await openMasterKey(storage, password, onDeriving)) };
}
