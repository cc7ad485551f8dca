/** Second copies of files that were stored without, by restic or before a writer was interrupted. */
import { isHoldfastError } from '#base';
import { CONFIG_NAME, parseConfig } from '../config.ts';
import { Sealer } from '../crypto/sealer.ts';
import { inLanes } from '../in-lanes.ts';
import { idOfName } from '../names.ts';
import type { Repository } from '../repository.ts';
import {
  COPIED_KINDS,
  COPIES_FOLDER,
  copyName,
  isAbsence,
  isDamage,
  readVerified,
} from './second-copies.ts';

const COPIES_AT_ONCE = 8;

export type CopiesWritten = { files: number; bytes: number };

/** Only of whole originals. May be called again at any time, and beside writers. */
export async function writeMissingCopies(
  repository: Repository,
  signal?: AbortSignal,
): Promise<CopiesWritten> {
  const written: CopiesWritten = { files: 0, bytes: 0 };
  await repository.sealed.prepare();
  const there = await namesBelow(repository, COPIES_FOLDER);
  await inLanes(await originals(repository), COPIES_AT_ONCE, async (name) => {
    signal?.throwIfAborted();
    if (there.has(copyName(name))) return;
    const bytes = await wholeOriginal(repository, name);
    if (!bytes) return;
    await repository.storage.write(copyName(name), [bytes]);
    written.files += 1;
    written.bytes += bytes.length;
  });
  return written;
}

/** Names of all files that should have a copy. */
export async function originals(repository: Repository): Promise<string[]> {
  const names = [CONFIG_NAME];
  for (const kind of COPIED_KINDS) {
    for (const name of await namesBelow(repository, `${kind}/`)) {
      if (idOfName(name) !== undefined && name.split('/').length === 2) names.push(name);
    }
  }
  return names;
}

export async function namesBelow(
  { storage }: Pick<Repository, 'storage'>,
  prefix: string,
): Promise<Set<string>> {
  const names = new Set<string>();
  for await (const { name } of storage.list(prefix)) names.add(name);
  return names;
}

/** Undefined where it is damaged, or gone since it was listed. */
export async function wholeOriginal(
  repository: Repository,
  name: string,
): Promise<Buffer | undefined> {
  const { storage, masterKey } = repository;
  const id = idOfName(name);
  try {
    if (id !== undefined) return await readVerified(storage, name, id, { fresh: true });
    const stored = await storage.read(name);
    parseConfig(storage, new Sealer(masterKey), stored);
    return stored;
  } catch (error) {
    const unusable = isHoldfastError(error, 'repository/bad-config');
    if (unusable || isDamage(error) || isAbsence(error)) return undefined;
    throw error;
  }
}
