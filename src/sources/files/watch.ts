/** Tells when and where a folder changes, in batches. */
import { promises as fs } from 'node:fs';
import { sleepMs, systemClock, systemCode } from '#base';
import { errors } from '../errors.ts';
import type { SourceContext, StoreSettings, WatchNews } from '../source.ts';
import type { FilesSettings } from './config.ts';
import { compileExclusion } from './exclusion.ts';
import { WatchedTree } from './watched-tree.ts';

const QUIET_MS = 100;
const SETTLE_POLL_MS = 5;
const MAX_DELAY_MS = 1_000;
// So often it is told, at the latest, that nothing happened, and seen whether the folder is still the same.
const TELL_MS = 1_000;
// What inotify can't see (mmap'ed writes, other hosts, hard links from elsewhere) is found at the latest then.
const RESCAN_MS = 3_600_000;
// A folder that is swapped (a deploy, a recovery in place) is missing only for a moment.
const ROOT_ABSENT_MS = 60_000;
const ROOT_POLL_MS = 250;

/**
 * Yields sets of changed directories for `CaptureOptions.changedDirectories`; undefined: everything is to be looked
 * through again (at the start, after an overflow of the kernel's queue, after the folder was replaced, every hour). While
 * nothing happens an empty set tells every second that nothing did.
 * A batch is held back until it is quiet for 100 ms, but no longer than a fifth of the RPO (1 s at most). Changes that
 * come while the caller is busy go into the next batch; a batch whose capture failed must be captured again with it.
 * Throws `sources/watch-limit`, `sources/folder-missing`, `sources/watch-unsupported`; returns when aborted.
 */
export async function* watchFiles(
  store: StoreSettings<FilesSettings>,
  context: SourceContext,
): AsyncGenerator<WatchNews> {
  if (process.platform !== 'linux') throw errors.watchUnsupported([store.name]);
  const { signal } = context;
  const maxDelayMs = Math.min(MAX_DELAY_MS, Math.max(QUIET_MS, store.rpoMs / 5));
  let root = await findFolder(store, 0, signal);
  while (root) {
    const tree = await openTree(store, root.path);
    try {
      yield { directories: undefined, throughMs: systemClock.nowMs() };
      let rescanAtMs = systemClock.monotonicMs() + RESCAN_MS;
      while (await waitForNews(tree, { store, root, maxDelayMs, signal })) {
        const throughMs = await lookThrough(tree, signal);
        const directories = tree.takeChanges();
        const isDue = systemClock.monotonicMs() >= rescanAtMs;
        if (isDue) rescanAtMs += RESCAN_MS;
        yield { directories: isDue ? undefined : directories, throughMs };
      }
    } catch (error) {
      throw (await limitError(store, error)) ?? error;
    } finally {
      tree.close();
    }
    root = await findFolder(store, ROOT_ABSENT_MS, signal);
  }
}

type Root = { path: Buffer; identity: string };

type Waiting = {
  store: StoreSettings<FilesSettings>;
  root: Root;
  maxDelayMs: number;
  signal: AbortSignal;
};

/** False where this tree is of no more use: aborted, events lost, or another folder stands at its path. */
async function waitForNews(tree: WatchedTree, waiting: Waiting): Promise<boolean> {
  const { signal } = waiting;
  const wake = () => tree.wake();
  signal.addEventListener('abort', wake, { once: true });
  try {
    if (!tree.hasNews) await tree.nextEvent(TELL_MS);
    if (!tree.hasNews && !signal.aborted) return await isStill(waiting);
    await waitForQuiet(tree, waiting);
    return !tree.isLost && !signal.aborted;
  } finally {
    signal.removeEventListener('abort', wake);
  }
}

async function waitForQuiet(tree: WatchedTree, { maxDelayMs, signal }: Waiting): Promise<void> {
  const untilMs = systemClock.monotonicMs() + maxDelayMs;
  while (!tree.isLost && !signal.aborted) {
    const before = tree.eventCount;
    await sleepMs(Math.min(QUIET_MS, maxDelayMs));
    const isLate = systemClock.monotonicMs() >= untilMs;
    // While new folders are still looked through, a batch would not hold all of them.
    if ((tree.eventCount === before || isLate) && tree.isSettled) return;
  }
}

/** The instant up to which everything is known after this. */
async function lookThrough(tree: WatchedTree, signal: AbortSignal): Promise<number> {
  const throughMs = systemClock.nowMs();
  tree.drain();
  while (!tree.isSettled && !tree.isLost && !signal.aborted) await sleepMs(SETTLE_POLL_MS);
  return throughMs;
}

async function isStill({ store, root }: Waiting): Promise<boolean> {
  return (await lookUp(store.own.path))?.identity === root.identity;
}

async function lookUp(path: string): Promise<Root | undefined> {
  try {
    const real = await fs.realpath(path, { encoding: 'buffer' });
    const { dev, ino } = await fs.stat(real, { bigint: true });
    return { path: real, identity: `${dev}:${ino}` };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Undefined when aborted. */
async function findFolder(
  store: StoreSettings<FilesSettings>,
  waitMs: number,
  signal: AbortSignal,
): Promise<Root | undefined> {
  const untilMs = systemClock.monotonicMs() + waitMs;
  while (!signal.aborted) {
    const root = await lookUp(store.own.path);
    if (root) return root;
    if (systemClock.monotonicMs() >= untilMs) {
      throw errors.folderMissing([store.name, store.own.path]);
    }
    await sleepMs(ROOT_POLL_MS);
  }
  return undefined;
}

async function openTree(store: StoreSettings<FilesSettings>, root: Buffer): Promise<WatchedTree> {
  const { exclude, oneFileSystem } = store.own;
  try {
    return await WatchedTree.open(root, { exclusion: compileExclusion(exclude), oneFileSystem });
  } catch (error) {
    throw (await limitError(store, error)) ?? error;
  }
}

const LIMITS: Record<string, string> = {
  ENOSPC: 'max_user_watches',
  EMFILE: 'max_user_instances',
};

async function limitError(
  store: StoreSettings<FilesSettings>,
  error: unknown,
): Promise<Error | undefined> {
  const limit = LIMITS[systemCode(error) ?? ''];
  if (!limit) return undefined;
  const value = Number(await fs.readFile(`/proc/sys/fs/inotify/${limit}`, 'latin1'));
  return errors.watchLimit([store.name, `fs.inotify.${limit}`, value], { cause: error });
}
