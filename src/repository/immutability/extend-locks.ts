/**
 * Maintenance of locks: what current snapshots still need is locked past the next two maintenances, so that one of them
 * may fail and nothing is ever open. What needs no extension costs one cheap request; nothing is ever shortened.
 */
import { type ProgressListener, silent, systemClock } from '#base';
import { errors } from '../errors.ts';
import { inLanes } from '../in-lanes.ts';
import { idOfName, packName } from '../names.ts';
import { reachableBlobs } from '../reachable-blobs.ts';
import type { Repository } from '../repository.ts';
import {
  type FileLock,
  type FileVersion,
  type FileVersions,
  lockedForMs,
} from '../storage/versions.ts';
import { isKept } from './good-versions.ts';

export type ExtendLocksOptions = {
  /** How often this is run, ms: locks are made to last for two more runs. */
  everyMs: number;
  /** Only tell. */
  dryRun?: boolean;
  signal?: AbortSignal;
  progress?: ProgressListener;
};

export type ExtendLocksResult = {
  /** Files that are in use and were looked at. */
  files: number;
  extended: number;
  /** Until when everything in use is locked at least, ms since 1970; undefined where nothing is in use. */
  lockedUntilMs: number | undefined;
  /** Were not locked at all any more, or never: an extension was missed. They are locked now. */
  lapsed: string[];
  /** Are hidden or overwritten by something else: `repo recover-versions` brings them back. Their versions are locked. */
  changed: string[];
};

const NAMES_AT_ONCE = 256;

/** Named by their content: they can't rightly be replaced by other bytes. */
const NEVER_CHANGED = /^(data|index|snapshots|keys)\//;

/** Throws `repository/no-locks` where the storage locks nothing. The index must be loaded. */
export async function extendLocks(
  repository: Repository,
  options: ExtendLocksOptions,
): Promise<ExtendLocksResult> {
  const { versions, location } = repository.storage;
  const lock = await versions?.lock();
  if (!versions || !lock) throw errors.noLocks([location]);
  const usedPacks = await packsInUse(repository, options);
  const run: Run = { versions, lock, options, lanes: repository.storage.concurrency };
  const result: ExtendLocksResult = {
    files: 0,
    extended: 0,
    lockedUntilMs: undefined,
    lapsed: [],
    changed: [],
  };
  let some: FileVersion[] = [];
  for await (const version of versionsToLock(versions, usedPacks, result)) {
    some.push(version);
    if (some.length < NAMES_AT_ONCE) continue;
    await extendAll(run, some, result);
    some = [];
  }
  await extendAll(run, some, result);
  return result;
}

async function packsInUse(repository: Repository, options: ExtendLocksOptions) {
  const roots: string[] = [];
  for (const { tree } of await repository.snapshots.list()) roots.push(tree);
  const { index } = repository;
  const { signal } = options;
  const { used } = await reachableBlobs(repository, roots, signal ? { signal } : {});
  const packs = new Set<string>();
  for (const entry of used.members())
    packs.add(packName(index.packIdOf(index.packNumberOf(entry))));
  return packs;
}

/**
 * Of each file in use the version that readers see, and of files that can't rightly change the first one: that is ours,
 * whatever came later.
 */
async function* versionsToLock(
  versions: FileVersions,
  usedPacks: ReadonlySet<string>,
  result: ExtendLocksResult,
): AsyncIterable<FileVersion> {
  let found: FileVersion[] = [];
  const chosen = (): FileVersion[] => {
    const [newest] = found;
    if (!newest || !isInUse(newest.name, usedPacks)) return [];
    const content = found.filter(({ isRemoval }) => !isRemoval);
    const first = content.at(-1);
    if (!first || (newest.isRemoval && !usedPacks.has(newest.name))) return [];
    result.files += 1;
    if (!NEVER_CHANGED.test(newest.name)) return content.slice(0, 1);
    if (newest.isRemoval || newest.contentTag !== first.contentTag)
      result.changed.push(newest.name);
    return first === newest || newest.isRemoval ? [first] : [newest, first];
  };
  for await (const version of versions.list('')) {
    if (found[0]?.name !== version.name) {
      yield* chosen();
      found = [];
    }
    found.push(version);
  }
  yield* chosen();
}

/** Packs that nothing needs may become free; all else that is there is in use. */
function isInUse(name: string, usedPacks: ReadonlySet<string>): boolean {
  if (name.startsWith('data/')) return usedPacks.has(name);
  if (name.startsWith('holdfast/parity/')) return usedPacks.has(packName(idOfName(name) ?? ''));
  return isKept(name);
}

type Run = { versions: FileVersions; lock: FileLock; options: ExtendLocksOptions; lanes: number };

async function extendAll(
  run: Run,
  versions: readonly FileVersion[],
  result: ExtendLocksResult,
): Promise<void> {
  const { signal, progress = silent } = run.options;
  await inLanes(versions, run.lanes, async (version) => {
    signal?.throwIfAborted();
    await extendOne(run, version, result);
    progress({ step: 'extending locks', doneItems: result.files });
  });
}

async function extendOne(
  { versions, lock, options }: Run,
  version: FileVersion,
  result: ExtendLocksResult,
): Promise<void> {
  const nowMs = systemClock.nowMs();
  const neededMs = nowMs + 2 * options.everyMs;
  const untilMs = await versions.lockedUntilMs(version);
  let lastsMs = untilMs ?? nowMs;
  if (untilMs === undefined || untilMs <= nowMs) result.lapsed.push(version.name);
  if (lastsMs < neededMs) {
    lastsMs = Math.max(nowMs + lockedForMs(lock, version.name), neededMs);
    if (!options.dryRun) await versions.extendLock(version, lock.mode, lastsMs);
    result.extended += 1;
  }
  result.lockedUntilMs = Math.min(result.lockedUntilMs ?? lastsMs, lastsMs);
}
