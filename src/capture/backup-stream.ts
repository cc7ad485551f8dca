/** One file that comes as a stream, as one snapshot: what a program writes needn't lie on a disk first. */
import os from 'node:os';
import { madeMetadata, type ProgressListener, silent, systemClock } from '#base';
import {
  encodeTree,
  type Repository,
  type RepositoryWriter,
  type Snapshot,
  type TreeNode,
  type WriterOptions,
  type WriterStats,
  withWriter,
} from '#repository';
import { errors } from './errors.ts';

export type BackupStreamOptions = {
  /** Path of the file in the snapshot, `/`-separated; a slash at its beginning changes nothing. */
  name: string;
  tags?: readonly string[];
  host?: string;
  /** Told where another program holds the repository alone: its end is waited for, a minute at most. */
  onWait?: (why: Error) => void;
  progress?: ProgressListener;
  signal?: AbortSignal;
  writer?: WriterOptions;
};

export type StreamBackup = {
  snapshot: Snapshot;
  sizeBytes: number;
  stats: WriterStats;
  tookMs: number;
};

const LOCK = { waitMs: 60_000 };

/**
 * Takes the bytes as they come and no faster than they can be stored. A stream that fails leaves no snapshot. Throws
 * `capture/stream-unnamed` where the name can't be a path. Holds a shared lock.
 */
export async function backupStream(
  repository: Repository,
  bytes: AsyncIterable<Uint8Array>,
  options: BackupStreamOptions,
): Promise<StreamBackup> {
  const beganMs = systemClock.monotonicMs();
  const startedAtMs = systemClock.nowMs();
  const names = componentsOf(options.name);
  const lock = await repository.lock('shared', {
    ...LOCK,
    ...(options.onWait && { onWait: options.onWait }),
    ...(options.signal && { signal: options.signal }),
  });
  try {
    const signal = AbortSignal.any([lock.signal, ...(options.signal ? [options.signal] : [])]);
    const given = watched(bytes, signal, options.progress ?? silent);
    const writing = { ...options.writer, heldLock: lock };
    const { saved, stats } = await withWriter(repository, writing, (writer) =>
      saveFile(writer, given, names, startedAtMs),
    );
    signal.throwIfAborted();
    const snapshot = await repository.snapshots.save({
      time: startedAtMs,
      tree: saved.tree,
      paths: [`/${names.join('/')}`],
      hostname: options.host ?? os.hostname(),
      ...(options.tags && { tags: options.tags }),
    });
    const tookMs = systemClock.monotonicMs() - beganMs;
    return { snapshot, sizeBytes: saved.sizeBytes, stats, tookMs };
  } finally {
    await lock.release();
  }
}

function componentsOf(name: string): string[] {
  const names = name.split('/').filter((part) => part !== '');
  const isPath = names.length > 0 && names.every((part) => !/^\.{1,2}$|\0/.test(part));
  if (!isPath || name.endsWith('/')) throw errors.streamUnnamed([name]);
  return names;
}

async function* watched(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  progress: ProgressListener,
): AsyncGenerator<Uint8Array> {
  let doneBytes = 0;
  for await (const piece of bytes) {
    signal.throwIfAborted();
    doneBytes += piece.length;
    progress({ step: 'backup', doneBytes });
    yield piece;
  }
}

async function saveFile(
  writer: RepositoryWriter,
  bytes: AsyncIterable<Uint8Array>,
  names: readonly string[],
  atMs: number,
): Promise<{ tree: string; sizeBytes: number }> {
  const { ids, sizeBytes } = await writer.saveStream(bytes, { kind: 'content' });
  const atNs = BigInt(Math.floor(atMs)) * 1_000_000n;
  const [fileName, ...folders] = [...names].reverse() as [string, ...string[]];
  let node: TreeNode = {
    ...madeMetadata('file', 0o644, atNs),
    name: Buffer.from(fileName),
    sizeBytes: BigInt(sizeBytes),
    content: ids,
  };
  let tree = await writer.saveTree(encodeTree([node]));
  for (const folder of folders) {
    node = { ...madeMetadata('dir', 0o755, atNs), name: Buffer.from(folder), subtree: tree };
    tree = await writer.saveTree(encodeTree([node]));
  }
  return { tree, sizeBytes };
}
