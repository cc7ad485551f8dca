/** A plain backup of files and folders on this host, without any environment: what `holdfast repo backup` does. */
import os from 'node:os';
import path from 'node:path';
import {
  messageOf,
  type ProgressListener,
  readMetadata,
  silent,
  systemClock,
  systemCode,
} from '#base';
import {
  openWriter,
  type Repository,
  type Snapshot,
  type WriterOptions,
  type WriterStats,
} from '#repository';
import type { CaptureEvent } from '#sources';
import { describeFailure, walkElsewhere } from '#sources/files';
import { errors } from './errors.ts';
import type { Problem } from './problems.ts';
import { type ReadAhead, readAhead } from './read-ahead.ts';
import { type CapturedTree, captureTree } from './snapshot/capture-tree.ts';
import { PreviousTrees } from './snapshot/previous-trees.ts';
import {
  FoldersToRemember,
  recallFolders,
  rememberFolders,
} from './snapshot/remembered-folders.ts';

export type BackupPathsOptions = {
  /** In the syntax of .gitignore, relative to each path. */
  exclude?: readonly string[];
  oneFileSystem?: boolean;
  tags?: readonly string[];
  host?: string;
  /** Reads everything again, whatever the snapshot before says. */
  force?: boolean;
  /** Told where another program holds the repository alone: its end is waited for, a minute at most. */
  onWait?: (why: Error) => void;
  progress?: ProgressListener;
  signal?: AbortSignal;
  writer?: WriterOptions;
  /** What `lookAhead` began for the same paths, excludes and file systems. */
  ahead?: BackupAhead;
};

/** A walk that has begun before there is a repository to hold it against. */
export type BackupAhead = { startedAtMs: number; events: ReadAhead<CaptureEvent> };

/** Some hundred thousand entries, as their tables lie in memory. */
const AHEAD_BYTES = 16 * 1024 * 1024;
const ENTRY_BYTES = 160;

/**
 * Begins to look at the paths, while a repository is being opened for instance; `backupPaths` goes on with it. Never
 * throws: what is wrong is told there.
 */
export function lookAhead(
  paths: readonly string[],
  options: Pick<BackupPathsOptions, 'exclude' | 'oneFileSystem' | 'signal'> = {},
): BackupAhead {
  const startedAtMs = systemClock.nowMs();
  const signal = options.signal ?? new AbortController().signal;
  const events = eventsOf(absolutePaths(paths), { ...options, signal });
  return { startedAtMs, events: readAhead(events, bytesOf, AHEAD_BYTES) };
}

function bytesOf(event: CaptureEvent): number {
  return ENTRY_BYTES * (event.kind === 'folder' ? event.entries.length + 1 : 1);
}

function absolutePaths(paths: readonly string[]): string[] {
  return withoutNested(paths.map((given) => path.resolve(given)));
}

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

/**
 * Backs up the paths (relative ones from the current folder) as one snapshot, laid out as restic does it: every path
 * with all folders above it. What couldn't be read is in `problems`; the rest is stored. Throws
 * `capture/nothing-to-capture` where none of the paths could be looked up. Holds a shared lock.
 */
export async function backupPaths(
  repository: Repository,
  paths: readonly string[],
  options: BackupPathsOptions = {},
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
    const writer = await openWriter(repository, { ...options.writer, heldLock: lock });
    let captured: CapturedTree;
    let stats: WriterStats;
    try {
      captured = await captureTree({
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
      });
      stats = await writer.finish();
    } catch (error) {
      await writer.abort();
      throw error;
    }
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

/** Sorted, each once, and none that lies inside another. */
function withoutNested(paths: readonly string[]): string[] {
  const kept: string[] = [];
  for (const one of [...new Set(paths)].sort((a, b) => a.length - b.length)) {
    const inside = kept.some((above) => one.startsWith(above === '/' ? '/' : `${above}/`));
    if (!inside) kept.push(one);
  }
  return kept.sort();
}

async function findParent(
  repository: Repository,
  paths: readonly string[],
  host: string,
): Promise<Snapshot | undefined> {
  const candidates = await repository.snapshots.list({ hosts: [host], paths });
  return candidates.find((snapshot) => snapshot.paths.length === paths.length);
}

async function* eventsOf(
  paths: readonly string[],
  options: BackupPathsOptions & { signal: AbortSignal },
): AsyncGenerator<CaptureEvent> {
  const given = new Set<string>();
  let found = 0;
  let firstFailure: unknown;
  for (const one of paths) {
    const root = Buffer.from(one);
    const inside = (event: CaptureEvent): CaptureEvent => ({
      ...event,
      path: joined(root.subarray(1), event.path),
    });
    try {
      readMetadata(root);
    } catch (error) {
      firstFailure ??= error;
      const what = systemCode(error) === 'ENOENT' ? 'is not there' : describeFailure(error);
      yield inside({ kind: 'problem', path: Buffer.alloc(0), what });
      continue;
    }
    found += 1;
    yield* foldersAbove(one, given);
    const walk = walkElsewhere(root, options);
    for await (const event of walk) yield inside(event);
  }
  if (found === 0)
    throw errors.nothingToCapture([paths.join(', ')], {
      cause: firstFailure,
      facts: { why: messageOf(firstFailure) },
    });
}

/** Entries of the folders from the root down to the path, each once over all paths. */
function* foldersAbove(one: string, given: Set<string>): Generator<CaptureEvent> {
  const parts = one.split('/').slice(1, -1);
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const folder = `/${parts.slice(0, depth).join('/')}`;
    if (given.has(folder)) continue;
    given.add(folder);
    yield {
      kind: 'entry',
      path: Buffer.from(folder.slice(1)),
      metadata: readMetadata(Buffer.from(folder)),
      content: { from: 'nothing' },
    };
  }
}

function joined(prefix: Buffer, inside: Buffer): Buffer {
  if (prefix.length === 0) return inside;
  if (inside.length === 0) return prefix;
  // Thousands wait to be taken: each with memory of its own, for one that shared it would keep all of that.
  const path = Buffer.allocUnsafeSlow(prefix.length + 1 + inside.length);
  prefix.copy(path);
  path[prefix.length] = SLASH;
  inside.copy(path, prefix.length + 1);
  return path;
}

const SLASH = 0x2f;
