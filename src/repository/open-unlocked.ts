import { type CacheOptions, LocalCache } from './cache/cache.ts';
import { withCache } from './cache/cached-storage.ts';
import { SealedNotes } from './cache/sealed-notes.ts';
import { readConfig } from './config.ts';
import { Sealer } from './crypto/sealer.ts';
import type { ScryptParameters } from './keys/scrypt.ts';
import { OpenedRepository } from './opened-repository.ts';
import type { Repository } from './repository.ts';
import type { EarlyThreads, Unlocked } from './unlock.ts';

export type SessionOptions = {
  /** For keys that are made in this session; by default as their passwords need it. */
  scrypt?: ScryptParameters;
  /**
   * Where copies of indexes, trees and snapshots of a remote storage are kept, and a large index as a table, whatever the
   * storage; false for nowhere.
   */
  cache?: CacheOptions | false;
  /** Started before, for who will read or write much; the session ends them. */
  threads?: EarlyThreads | undefined;
};

/** The second step of `openRepository`. Throws `repository/newer-format`, `repository/bad-config`. */
export async function openUnlocked(
  { storage, masterKey, keyId }: Unlocked,
  options: SessionOptions = {},
): Promise<Repository> {
  const sealer = new Sealer(masterKey);
  const config = await readConfig(storage, sealer);
  const nearby = options.cache === false ? undefined : new LocalCache(config.id, options.cache);
  const cache = storage.isRemote ? nearby : undefined;
  const repository = new OpenedRepository({
    storage: cache ? withCache(storage, cache) : storage,
    cache,
    config,
    masterKey,
    sealer,
    keyId,
    scrypt: options.scrypt,
    threads: options.threads,
    ...(nearby && {
      tableFolder: nearby.derivedFolder,
      notes: new SealedNotes(nearby, sealer),
    }),
  });
  await repository.checkOwnFormat();
  return repository;
}
