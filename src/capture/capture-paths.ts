import os from 'node:os';
import { type ProgressListener, silent, systemClock } from '#base';
import {
  type Repository,
  type Snapshot,
  type WriterOptions,
  type WriterStats,
  withWriter,
} from '#repository';
import { absolutePaths, type BackupAhead, type LookAheadOptions, lookAhead } from './look-ahead.ts';
import type { Problem } from './problems.ts';
import { type CapturedTree, captureTree } from './snapshot/capture-tree.ts';
import { PreviousTrees } from './snapshot/previous-trees.ts';
import {
  FoldersToRemember,
  recallFolders,
  rememberFolders,
} from './snapshot/remembered-folders.ts';

export type BackupPathsOptions = LookAheadOptions & {
  tags?: readonly string[];
  host?: string;
  /** Reads everything again, whatever the snapshot before says. */
  force?: boolean;
  /** Told where another program holds the repository alone: its end is waited for, a minute at most. */
  onWait?: (why: Error) => void;
  progress?: ProgressListener;
  writer?: WriterOptions;
  /** What `lookAhead` began for the same paths, excludes and file systems. */
  ahead?: BackupAhead;
};

export type BackupResult = {
  snapshot: Snapshot;
  /** Where the paths were backed up before: only what changed since was read. */
  parent: Snapshot | undefined;
  totals: CapturedTree['totals'];
  stats: WriterStats;
  /** The first 1,000. */
  problems: Problem[];
  problemCount: number;
  tookMs: number;
};

const LOCK = { waitMs: 60_000 };
/** What was looked at so long ago may be another by the time it is read. */
const STALE_WALK_MS = 5_000;

/** See `backupPaths`. */
export async function capturePaths(
  repository: Repository,
  paths: readonly string[],
  options: BackupPathsOptions,
): Promise<BackupResult> {
  const beganMs = systemClock.monotonicMs();
  let walk = options.ahead ?? lookAhead(paths, options);
  const absolute = absolutePaths(paths);
  const host = options.host ?? os.hostname();
  // While others are given time to see our lock. What an index lacks by then is read under the lock.
  const trees = new PreviousTrees(repository);
  const looking = async () => {
    const parent = options.force ? undefined : await findParent(repository, absolute, host);
    const [remembered] = await Promise.all([
      parent && recallFolders(repository, absolute, host, parent.id),
      repository.loadIndex(),
      repository.cuttingStyle(),
    ]);
    if (parent && !remembered) await trees.read(parent.tree);
    return { parent, remembered };
  };
  const ahead = looking();
  // Whoever awaits it below is told; where the lock is refused, that is what is told.
  ahead.catch(() => {});
  const lock = await repository
    .lock('shared', {
      ...LOCK,
      ...(options.onWait && { onWait: options.onWait }),
      ...(options.signal && { signal: options.signal }),
    })
    .catch((error) => {
      walk.events.stop();
      throw error;
    });
  try {
    if (systemClock.nowMs() - walk.startedAtMs > STALE_WALK_MS) {
      walk.events.stop();
      walk = lookAhead(paths, options);
    }
    const { startedAtMs, events } = walk;
    const signal = AbortSignal.any([lock.signal, ...(options.signal ? [options.signal] : [])]);
    const { parent, remembered } = await ahead;
    const remember = new FoldersToRemember(startedAtMs);
    const writing = { ...options.writer, heldLock: lock };
    const { saved: captured, stats } = await withWriter(repository, writing, (writer) =>
      captureTree({
        repository,
        writer,
        events,
        ...(parent && {
          previous: {
            tree: parent.tree,
            startedAtMs: parent.timeMs,
            ahead: trees,
            // What was read before the lock was taken may be gone.
            remembered: remembered?.isStoredIn(repository) ? remembered : undefined,
          },
        }),
        remember,
        progress: options.progress ?? silent,
        step: 'backup',
        signal,
      }),
    );
    signal.throwIfAborted();
    const snapshot = await repository.snapshots.save({
      time: startedAtMs,
      tree: captured.tree,
      paths: absolute,
      hostname: host,
      ...(parent && { parent: parent.id }),
      ...(options.exclude && { excludes: options.exclude }),
      ...(options.tags && { tags: options.tags }),
    });
    await rememberFolders(repository, absolute, host, snapshot.id, remember);
    const { totals, problems } = captured;
    return {
      snapshot,
      parent,
      totals,
      stats,
      problems: problems.first,
      problemCount: problems.count,
      tookMs: systemClock.monotonicMs() - beganMs,
    };
  } finally {
    walk.events.stop();
    await lock.release();
  }
}

async function findParent(
  repository: Repository,
  paths: readonly string[],
  host: string,
): Promise<Snapshot | undefined> {
  const candidates = await repository.snapshots.list({ hosts: [host], paths });
  return candidates.find((snapshot) => snapshot.paths.length === paths.length);
}
