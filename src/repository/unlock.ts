/**
 * The first step of opening: it waits for the key that is derived from the password, and needs little code. An entry of
 * its own (`#repository/unlock`), so that all else can be loaded meanwhile.
 */
import { availableParallelism } from 'node:os';
import { returnLargeMemory, type Secret } from '#base';
import { DecodeThreads } from './blobs/decode-threads.ts';
import { hasConfig } from './config.ts';
import type { MasterKey } from './crypto/master-key.ts';
import { errors } from './errors.ts';
import { openMasterKey } from './keys/keys.ts';
import { withRetries } from './storage/retry.ts';
import type { Storage } from './storage/storage.ts';
import { SealingThreads } from './writer/sealing-threads.ts';

export { openStorage } from './storage/all.ts';
export { storageOptionsOf } from './storage/option-words.ts';
export { readingAhead } from './storage/reading-ahead.ts';

/** What follows, and the holds: half of this layer's code, for who needs no more of it. */
export const loadOpening = () => import('./open-unlocked.ts');
export const loadHolds = () => import('./forget/holds.ts');

/**
 * Threads may start before there is a key, for who will soon have much for all of them: their code is loaded while it is
 * derived. `openUnlocked` takes them over; until then they end with the process.
 */
export type EarlyThreads = { decode?: DecodeThreads; sealing?: SealingThreads };

export function startEarly(kind: keyof EarlyThreads): EarlyThreads {
  if (kind === 'decode') {
    const decode = new DecodeThreads();
    decode.start();
    return { decode };
  }
  const sealing = new SealingThreads();
  sealing.prepare(availableParallelism());
  return { sealing };
}

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
