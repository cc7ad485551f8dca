/** What a repository holds, whoever made it, and whether it is whole: looked at without a lock and without a change. */
import { HoldfastError, type ProgressListener, silent } from '#base';
import { packProblems, storedPacks } from '../check/packs.ts';
import { decodeLock, describeLock, isStale } from '../locks/lock-file.ts';
import { reachableBlobs } from '../reachable-blobs.ts';
import { listStores } from '../records/captures.ts';
import type { StoreAddress } from '../records/records.ts';
import type { Repository } from '../repository.ts';
import type { Snapshot } from '../snapshots/snapshot-json.ts';

/** Snapshots of one host and the same paths. */
export type SurveyedGroup = {
  host: string;
  paths: string[];
  tags: string[];
  snapshots: number;
  firstMs: number;
  lastMs: number;
};

export type Survey = {
  location: string;
  id: string;
  format: number;
  snapshots: number;
  /** Newest last snapshot first. */
  groups: SurveyedGroup[];
  /** Of the first and the last snapshot, ms since 1970; undefined where there is none. */
  firstMs: number | undefined;
  lastMs: number | undefined;
  /** What it takes in the storage, but for Holdfast's own files. */
  storedBytes: number;
  packs: number;
  keys: number;
  /** Who works on it now, as its locks say. */
  inUse: { by: string; stale: boolean }[];
  /** Stores that Holdfast protects in it already. */
  stores: StoreAddress[];
  /** `unknown` where the structure wasn't checked. */
  verdict: 'pass' | 'fail' | 'unknown';
  problems: string[];
};

export type SurveyOptions = {
  /** Walk all trees and look for every pack. Default true. */
  check?: boolean;
  signal?: AbortSignal;
  progress?: ProgressListener;
};

const KEPT_PROBLEMS = 100;

/**
 * Takes no lock: a program that prunes meanwhile may make it tell of problems that there aren't; it then says that the
 * repository is in use. Throws where the repository as a whole can't be read.
 */
export async function surveyRepository(
  repository: Repository,
  options: SurveyOptions = {},
): Promise<Survey> {
  const { progress = silent, signal } = options;
  const problems: string[] = [];
  const note = (what: string) => {
    if (problems.length < KEPT_PROBLEMS) problems.push(what);
  };
  progress({ step: 'reading snapshots' });
  const snapshots = await repository.snapshots.list({}, (id, error) => {
    note(`snapshot ${id.slice(0, 8)} can't be read: ${error.message}`);
  });
  const stored = await sizes(repository);
  const checked = options.check !== false;
  if (checked) await checkStructure(repository, snapshots, note, { progress, signal });
  const times = snapshots.map(({ timeMs }) => timeMs);
  return {
    location: repository.location,
    id: repository.config.id,
    format: repository.config.version,
    snapshots: snapshots.length,
    groups: groupsOf(snapshots),
    firstMs: times.at(-1),
    lastMs: times[0],
    ...stored,
    inUse: await locksOf(repository),
    stores: await listStores(repository),
    verdict: problems.length > 0 ? 'fail' : checked ? 'pass' : 'unknown',
    problems,
  };
}

async function checkStructure(
  repository: Repository,
  snapshots: readonly Snapshot[],
  note: (what: string) => void,
  { progress, signal }: { progress: ProgressListener; signal: AbortSignal | undefined },
): Promise<void> {
  progress({ step: 'reading indexes' });
  try {
    await repository.loadIndex();
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    note(error.message);
  }
  for (const { what } of packProblems(repository.index, await storedPacks(repository.storage))) {
    note(what);
  }
  const roots = new Set(snapshots.map(({ tree }) => tree));
  const { lost } = await reachableBlobs(repository, roots, {
    ...(signal && { signal }),
    onTrees: (doneItems) => progress({ step: 'walking trees', doneItems }),
  });
  for (const { error } of lost) note(error.message);
}

async function sizes(repository: Repository) {
  let storedBytes = 0;
  let packs = 0;
  let keys = 0;
  for (const folder of ['data/', 'index/', 'snapshots/', 'keys/']) {
    for await (const { sizeBytes } of repository.storage.list(folder)) {
      storedBytes += sizeBytes;
      if (folder === 'data/') packs += 1;
      if (folder === 'keys/') keys += 1;
    }
  }
  return { storedBytes, packs, keys };
}

async function locksOf({ files }: Repository): Promise<Survey['inUse']> {
  const inUse: Survey['inUse'] = [];
  for (const id of await files.list('locks')) {
    try {
      const lock = decodeLock(await files.read('locks', id));
      if (lock) inUse.push({ by: describeLock(lock), stale: isStale(lock) });
    } catch (error) {
      // Gone since it was listed: its program has ended. One that can't be read says nothing of who wrote it.
      if (!(error instanceof HoldfastError)) throw error;
    }
  }
  return inUse;
}

/** `snapshots` newest first. */
function groupsOf(snapshots: readonly Snapshot[]): SurveyedGroup[] {
  const groups = new Map<string, SurveyedGroup>();
  for (const { hostname, paths, tags, timeMs } of snapshots) {
    const key = JSON.stringify([hostname, [...paths].sort()]);
    const group = groups.get(key) ?? {
      host: hostname,
      paths: [...paths],
      tags: [],
      snapshots: 0,
      firstMs: timeMs,
      lastMs: timeMs,
    };
    groups.set(key, group);
    group.snapshots += 1;
    group.firstMs = Math.min(group.firstMs, timeMs);
    for (const tag of tags) if (!group.tags.includes(tag)) group.tags.push(tag);
  }
  return [...groups.values()];
}
