/** One capture of one store: from the source's events to a snapshot and its record. */
import { availableParallelism } from 'node:os';
import { systemClock, timedId } from '#base';
import {
  type CaptureRecord,
  madeOf,
  openBlockMapWriter,
  type Position,
  type Repository,
  type RepositoryLock,
  type RootMetadata,
  type StoreAddress,
  withWriter,
  writeCapture,
} from '#repository';
import type { CaptureOptions, Source, SourceContext, StoreSettings } from '#sources';
import { type BegunCapture, beginCapture } from './begin-capture.ts';
import { type CrashPoint, noCrash } from './crash-point.ts';
import { type CapturedTree, captureTree } from './snapshot/capture-tree.ts';
import { treeDifference } from './snapshot/previous-tree.ts';
import { PreviousTrees } from './snapshot/previous-trees.ts';
import { recentTrees } from './snapshot/recent-trees.ts';
import { captureTags } from './snapshot/tags.ts';

export type CaptureStoreOptions<Own = Record<string, unknown>> = {
  repository: Repository;
  source: Source<Own>;
  store: StoreSettings<Own>;
  context: SourceContext;
  /** The newest capture of this store: what didn't change since then isn't read again. */
  previous?: CaptureRecord;
  /** What a watcher saw changing since `previous`; all other directories are taken from there. */
  changedDirectories?: ReadonlySet<string>;
  /** Added to what the source says. */
  facts?: Record<string, unknown>;
  /** Default: what the source says (`base`, `files`). */
  kind?: CaptureRecord['kind'];
  crashPoint?: CrashPoint;
};

const LARGE_BYTES = 64 * 2 ** 20;
/** A prune that is under way is waited for. */
const LOCK_WITHIN_MS = 60_000;

/**
 * Captures a store. When it resolves, snapshot and record are durable: blobs first, then the index, the snapshot, the
 * block map and at last the record, so that a crash leaves at most an unused snapshot (see `removeUnrecorded`).
 * What couldn't be captured is in the record's `problems`. Rejects with the source's or the repository's error, having
 * stored no snapshot. Holds a shared lock on the repository all the time; with `changedDirectories` it is one that lingers.
 */
export async function captureStore<Own>(options: CaptureStoreOptions<Own>): Promise<CaptureRecord> {
  const startedAtMs = systemClock.nowMs();
  const stop = new AbortController();
  const signal = AbortSignal.any([options.context.signal, stop.signal]);
  const context = { ...options.context, signal };
  // The source gets ready while others are given time to see the lock.
  const beginning = beginCapture(options.source, options.store, requestOf(options), context);
  beginning.then(
    ({ capture }) => prepareThreads(options.repository, capture.expectedBytes),
    // Told where it is waited for.
    () => {},
  );
  const lock = await lockFor(options).catch(async (error) => {
    stop.abort(error);
    await beginning.then(({ capture }) => capture.close()).catch(() => {});
    throw error;
  });
  const onLockLost = () => stop.abort(lock.signal.reason);
  lock.signal.addEventListener('abort', onLockLost);
  if (lock.signal.aborted) onLockLost();
  try {
    const begun = await beginning;
    try {
      const record = await storeCapture(options, { ...begun, context, lock, startedAtMs });
      await begun.capture.close();
      return record;
    } catch (error) {
      // What failed first is what must be told.
      await begun.capture.close().catch(() => {});
      throw error;
    }
  } finally {
    lock.signal.removeEventListener('abort', onLockLost);
    await lock.release();
  }
}

/** While the lock settles there is time to start them; the first MiB of a large store would wait for it. */
function prepareThreads({ sealing }: Repository, expectedBytes = 0): void {
  if (expectedBytes >= LARGE_BYTES) sealing.threads.prepare(availableParallelism());
}

function lockFor<Own>({ repository, changedDirectories }: CaptureStoreOptions<Own>) {
  // Where a watcher says what changed, the next capture is often but a second away.
  const lingers = changedDirectories !== undefined;
  return repository.lock('shared', { waitMs: LOCK_WITHIN_MS, lingers });
}

function requestOf<Own>({
  previous,
  changedDirectories,
}: CaptureStoreOptions<Own>): CaptureOptions {
  // A directory that couldn't be read last time looks empty there: only a full look finds out.
  const changed = previous?.problemCount === 0 ? changedDirectories : undefined;
  return {
    hasPrevious: previous !== undefined,
    takesFolders: true,
    takesLiveFiles: true,
    ...(previous && changed && { changedDirectories: changed }),
  };
}

type Running = BegunCapture & { context: SourceContext; lock: RepositoryLock; startedAtMs: number };

async function storeCapture<Own>(
  options: CaptureStoreOptions<Own>,
  { capture, events, context, lock, startedAtMs }: Running,
): Promise<CaptureRecord> {
  const { repository, store, previous, crashPoint = noCrash } = options;
  const id = timedId(startedAtMs);
  const address: StoreAddress = {
    environment: store.environment,
    stage: store.stage,
    store: store.name,
  };
  const recent = recentTrees(repository);
  const before = previous && (await recent.rootOf(previous.snapshot));
  const blockMap = openBlockMapWriter(repository, address, id);
  const { saved, stats } = await withWriter(repository, { heldLock: lock }, async (writer) => {
    const captured = await captureTree({
      repository,
      writer,
      events,
      ...(previous &&
        before && {
          previous: {
            tree: before,
            startedAtMs: previous.startedAtMs,
            ...(!options.changedDirectories && { ahead: new PreviousTrees(repository) }),
          },
        }),
      blockMap,
      progress: context.progress,
      step: `${store.name}: capture`,
      ...(capture.expectedBytes === undefined ? {} : { expectedBytes: capture.expectedBytes }),
      signal: context.signal,
    });
    const outcome = await capture.outcome();
    for (const problem of outcome.problems ?? []) captured.problems.add('', problem);
    return { captured, outcome };
  });
  const { captured, outcome } = saved;
  crashPoint('capture/blobs-stored');
  context.signal.throwIfAborted();
  const snapshot = await repository.snapshots.save({
    time: startedAtMs,
    tree: captured.tree,
    paths: [capture.root],
    ...(previous && { parent: previous.snapshot }),
    tags: captureTags(address, id, madeOf({ facts: options.facts ?? {} })),
  });
  recent.keepRoot(snapshot.id, captured.tree);
  crashPoint('capture/snapshot-stored');
  const map = await blockMap.finish();
  crashPoint('capture/block-map-stored');
  const totals =
    previous && before && captured.reusedDirectories > 0
      ? sum(previous.statistics, await treeDifference(recent, before, captured.tree))
      : captured.totals;
  const record: CaptureRecord = {
    id,
    address,
    source: options.source.type,
    kind: options.kind ?? capture.kind,
    snapshot: snapshot.id,
    startedAtMs,
    endedAtMs: systemClock.nowMs(),
    start: position(outcome.start),
    end: position(outcome.end),
    clock: outcome.clock,
    chunkSizeBytes: captured.chunkSizeBytes,
    ...(map !== undefined && { blockMap: map }),
    ...(captured.root && { root: rootMetadata(captured.root) }),
    facts: { ...outcome.facts, ...options.facts },
    statistics: { ...totals, newBytes: stats.newBytes, storedBytes: stats.storedBytes },
    problems: captured.problems.first,
    problemCount: captured.problems.count,
  };
  await writeCapture(repository, record);
  crashPoint('capture/record-stored');
  return record;
}

const position = ({ line, offset }: Position): Position => ({ line, offset });

function rootMetadata(root: NonNullable<CapturedTree['root']>): RootMetadata {
  const { permissions, uid, gid, user, group, mtimeNs } = root;
  const xattrs = root.xattrs.map(({ name, value }) => ({
    name: name.toString('base64'),
    value: value.toString('base64'),
  }));
  return { permissions, uid, gid, user, group, mtimeNs, xattrs };
}

function sum(
  before: CaptureRecord['statistics'],
  difference: { files: number; directories: number; bytes: number },
) {
  return {
    files: before.files + difference.files,
    directories: before.directories + difference.directories,
    bytes: before.bytes + difference.bytes,
  };
}
