/** Originals brought back from their second copies. */
import { systemClock, timedId } from '#base';
import { idOfName } from '../names.ts';
import type { MendedBy } from '../parity/pack-parity.ts';
import { writeMend } from '../records/mends.ts';
import type { Mend } from '../records/records.ts';
import type { Repository } from '../repository.ts';
import { COPIES_FOLDER } from './second-copies.ts';
import { namesBelow, originals, wholeCopy } from './write-missing.ts';

/** Writes the original anew and notes it. Undefined where there is no whole copy: nothing is changed then. */
export async function restoreFromCopy(
  repository: Repository,
  name: string,
  by: MendedBy,
): Promise<Mend | undefined> {
  const bytes = await wholeCopy(repository, name);
  if (!bytes) return undefined;
  await repository.storage.write(name, [bytes]);
  return noteMend(repository, name, by, 'written anew from its second copy');
}

export async function noteMend(
  repository: Repository,
  name: string,
  by: MendedBy,
  what: string,
): Promise<Mend> {
  const atMs = systemClock.nowMs();
  const mend: Mend = { id: timedId(atMs), atMs, by, name, what };
  await writeMend(repository, mend);
  return mend;
}

/** Names of originals that are gone while their copies are there: lost, or removed by another program. */
export async function lostOriginals(repository: Repository): Promise<string[]> {
  const there = new Set(await originals(repository));
  const copies = await namesBelow(repository, COPIES_FOLDER);
  return [...copies]
    .map((name) => name.slice(COPIES_FOLDER.length))
    .filter((name) => !there.has(name) && idOfName(name) !== undefined)
    .sort();
}
