/**
 * Where a copy lies that lives as long as a piece of work (a proof, a look at parts of stores): a folder of its own, locked
 * by whoever works. What a process that was killed left there is found by its lock, which ended with it.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import {
  entryExists,
  type FileLock,
  type Logger,
  lockFile,
  messageOf,
  shortId,
  silent,
  systemCode,
  writeFileDurably,
} from '#base';
import { findSource, type Source } from '#sources';
import { detachAll } from '../mount/index.ts';
import type { Site } from '../site.ts';

import { listRecoveries } from './state.ts';
import { removeRecovery } from './switch.ts';

export type PassingPlace = { root: string; lock: FileLock };

const FOLDER = /^passing-[0-9a-z]{1,20}$/;
const LOCK_FILE = 'lock';
/** Types of the stores, by name: enough to stop what runs of them, whatever is declared by then. */
const TYPES_FILE = 'stores.json';

/** `folder`: holds such places of this host. `types`: of the stores, by name. */
export async function openPassingPlace(
  folder: string,
  types: Readonly<Record<string, string>>,
): Promise<PassingPlace> {
  // Databases run as a user of their own, who must reach their folder but see nothing else.
  await fs.mkdir(folder, { recursive: true, mode: 0o711 });
  for (;;) {
    const root = path.join(folder, shortId('passing-', 6));
    await fs.mkdir(root, { mode: 0o711 });
    const lock = await lockLeft(root);
    // Whoever sweeps at this very moment may have taken it for one that was left.
    if (!lock || !(await entryExists(root))) continue;
    await writeFileDurably(path.join(root, TYPES_FILE), JSON.stringify(types), { mode: 0o600 });
    return { root, lock };
  }
}

export type RemoveOptions = { site: Pick<Site, 'runtime' | 'production'>; log: Logger };

/** Ends what runs there, unmounts and deletes all of it; the lock goes last. May be called again. */
export async function removePassingPlace(
  { root, lock }: PassingPlace,
  { site, log }: RemoveOptions,
): Promise<void> {
  const sources = await sourcesIn(root);
  for (const state of await listRecoveries(root)) {
    await removeRecovery({
      ...{ state, sources, log, progress: silent },
      site: { services: [], runChecks: async () => [], ...site },
      signal: new AbortController().signal,
    });
  }
  // What is mounted though no state tells of it any more.
  await detachAll(root);
  await fs.rm(root, { recursive: true, force: true });
  await lock.release();
}

async function sourcesIn(root: string): Promise<Record<string, Source>> {
  const text = await fs.readFile(path.join(root, TYPES_FILE), 'utf8').catch((error: unknown) => {
    // Killed before there was one: then nothing runs there either.
    if (systemCode(error) === 'ENOENT') return '{}';
    throw error;
  });
  const types = Object.entries(JSON.parse(text) as Record<string, string>);
  return Object.fromEntries(
    types.flatMap(([store, type]): [string, Source][] => {
      const source = findSource(type);
      return source ? [[store, source]] : [];
    }),
  );
}

/**
 * Takes away what was left by processes that were killed; where one is at work it stays. What can't be taken away now is
 * told to the log, and tried again the next time. Resolves to how many went.
 */
export async function sweepPassingPlaces(folder: string, options: RemoveOptions): Promise<number> {
  const names = await fs.readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  let swept = 0;
  for (const name of names.filter((one) => FOLDER.test(one))) {
    const root = path.join(folder, name);
    const lock = await lockLeft(root);
    if (!lock) continue;
    try {
      await removePassingPlace({ root, lock }, options);
      swept += 1;
    } catch (error) {
      await lock.release();
      options.log.warn(
        { folder: root, what: messageOf(error) },
        'a passing copy left something behind',
      );
    }
  }
  return swept;
}

/** Undefined where somebody is at it, or has just removed it. */
async function lockLeft(root: string): Promise<FileLock | undefined> {
  try {
    return await lockFile(path.join(root, LOCK_FILE));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
