/** Second copies of files that were stored without, by restic or before a writer was interrupted. */

import { isHoldfastError } from '#base';
import { CONFIG_NAME, parseConfig } from '../config.ts';
import { Sealer } from '../crypto/sealer.ts';
import { inLanes } from '../in-lanes.ts';
import { idOfName } from '../names.ts';
import type { Repository } from '../repository.ts';
import { FORMAT_NAME } from '../sealed/own-format.ts';
import { openSealed } from '../sealed/sealed-files.ts';
import { namesIn } from '../storage/names-in.ts';
import {
  COPIED_KINDS,
  COPIES_FOLDER,
  copyName,
  isAbsence,
  isCopiedRecord,
  isDamage,
  RECORD_FOLDERS,
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
  const names = [CONFIG_NAME, FORMAT_NAME];
  for (const kind of COPIED_KINDS) {
    for (const name of await namesBelow(repository, `${kind}/`)) {
      if (idOfName(name) !== undefined && name.split('/').length === 2) names.push(name);
    }
  }
  for (const folder of RECORD_FOLDERS) {
    for (const name of await namesBelow(repository, folder)) {
      if (isCopiedRecord(name)) names.push(name);
    }
  }
  return names;
}

export async function namesBelow(
  { storage }: Pick<Repository, 'storage'>,
  prefix: string,
): Promise<Set<string>> {
  const names = new Set<string>();
  for await (const name of namesIn(storage, prefix)) names.add(name);
  return names;
}

/** Undefined where it is damaged, or gone. */
export function wholeOriginal(repository: Repository, name: string): Promise<Buffer | undefined> {
  return readWhole(repository, name, name);
}

/** Undefined where there is none, or a damaged one. */
export function wholeCopy(repository: Repository, name: string): Promise<Buffer | undefined> {
  return readWhole(repository, copyName(name), name);
}

/** `place`: where the bytes lie that were stored as `name`. */
async function readWhole(
  { storage, masterKey }: Repository,
  place: string,
  name: string,
): Promise<Buffer | undefined> {
  const id = idOfName(name);
  try {
    if (id !== undefined) return await readVerified(storage, place, id, { fresh: true });
    const stored = await storage.read(place);
    const sealer = new Sealer(masterKey);
    if (name === CONFIG_NAME) parseConfig(storage, sealer, stored);
    else openSealed(sealer, name.slice('holdfast/'.length), stored);
    return stored;
  } catch (error) {
    const isUnusable =
      isHoldfastError(error, 'repository/bad-config') ||
      isHoldfastError(error, 'repository/sealed-misplaced');
    if (isUnusable || isDamage(error) || isAbsence(error)) return undefined;
    throw error;
  }
}
