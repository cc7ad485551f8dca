/** Opening and creating repositories. */
import { isHoldfastError, returnLargeMemory, type Secret } from '#base';
import { hasConfig, newConfig, writeConfig } from './config.ts';
import { writeMissingCopies } from './copies/write-missing.ts';
import { type MasterKey, newMasterKey } from './crypto/master-key.ts';
import { Sealer } from './crypto/sealer.ts';
import { errors } from './errors.ts';
import { writeKeyFile } from './keys/key-file.ts';
import { keyIds, openMasterKey } from './keys/keys.ts';
import { openUnlocked, type SessionOptions } from './open-unlocked.ts';
import type { Repository } from './repository.ts';
import { withRetries } from './storage/retry.ts';
import type { Storage } from './storage/storage.ts';
import { unlockRepository } from './unlock.ts';

export type OpenOptions = SessionOptions & { storage: Storage; password: Secret };

/**
 * Opens with the password of any key; the index isn't loaded yet. Throws `repository/no-repository`,
 * `repository/wrong-password`, `repository/no-keys`, `repository/newer-format`, `repository/bad-config`.
 */
export async function openRepository(options: OpenOptions): Promise<Repository> {
  return await openUnlocked(await unlockRepository(options.storage, options.password), options);
}

/**
 * The same by the key itself, for a process that was handed it by one that had opened the repository: that costs no key
 * derivation. Throws as `openRepository` does.
 */
export async function reopenRepository(
  options: Omit<OpenOptions, 'password'> & { masterKey: MasterKey },
): Promise<Repository> {
  returnLargeMemory();
  const { masterKey } = options;
  // No key file was opened.
  return await openUnlocked(
    { storage: withRetries(options.storage), masterKey, keyId: '' },
    options,
  );
}

/**
 * Makes an empty repository and opens it. Throws `repository/repository-exists`. After an interrupted attempt the same
 * call with the same password finishes it.
 */
export async function createRepository(options: OpenOptions): Promise<Repository> {
  const storage = withRetries(options.storage);
  if (await hasConfig(storage)) throw errors.repositoryExists([storage.location]);
  const masterKey = await interruptedKey(storage, options.password);
  const key = masterKey ?? newMasterKey();
  if (!masterKey) {
    await writeKeyFile(storage, key, options.password, options.scrypt);
  }
  // Last: a repository exists from the moment that its config does.
  await writeConfig(storage, new Sealer(key), newConfig());
  const repository = await openRepository(options);
  await writeMissingCopies(repository);
  return repository;
}

/** The key of an attempt that broke off before the config. Where there is data, a config was lost: nothing to create. */
async function interruptedKey(storage: Storage, password: Secret): Promise<MasterKey | undefined> {
  if ((await keyIds(storage)).length === 0) return undefined;
  for await (const _file of storage.list('snapshots/')) {
    throw errors.repositoryExists([storage.location]);
  }
  try {
    return (await openMasterKey(storage, password)).masterKey;
  } catch (error) {
    if (!isHoldfastError(error, 'repository/wrong-password')) throw error;
    throw errors.repositoryExists([storage.location], { cause: error });
  }
}
