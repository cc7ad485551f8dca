/** Stores of a recovery whose content comes as it is touched: mounted, made to stand on their own, unmounted. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { entryExists, type ProgressListener, syncDirectory, syncFileSystem } from '#base';
import { errors } from '../errors.ts';
import {
  type CloneRequest,
  detach,
  detachAll,
  isLaidOut,
  type MountClient,
  type MountShown,
  mountControl,
  mountPointsBelow,
  unmountIdle,
} from '../mount/index.ts';
import type { MountedStore, RecoveryState } from '../request.ts';
import type { RestoreProblem } from '../restore/index.ts';
import { type CrashPoint, noCrash } from './crash-point.ts';

import { saveState } from './state.ts';

type Entry = RecoveryState['stores'][string];

/** Its folder shows everything when this resolves. Noted before, so that whoever takes it away knows of it. */
export async function mountStore(
  mounts: MountClient,
  state: RecoveryState,
  store: string,
  what: Pick<
    CloneRequest,
    'snapshot' | 'tree' | 'root' | 'blockMap' | 'early' | 'owner' | 'hasXattrs' | 'writesBehind'
  >,
  signal: AbortSignal,
): Promise<RestoreProblem[]> {
  const entry = state.stores[store] as Entry;
  const folder = path.dirname(entry.directory);
  const { snapshot, tree, hasXattrs } = what;
  entry.mounted = {
    files: path.join(folder, 'files'),
    pages: path.join(folder, 'pages'),
    service: mounts.folder,
    ...{ snapshot, tree, hasXattrs },
  };
  await saveState(state);
  const { files, pages } = entry.mounted;
  const request = { ...what, files, state: pages, mountPoint: entry.directory };
  const { problems } = await mounts.clone(request, signal);
  return problems;
}

/** What the services say of the mounts of a recovery; nothing of those that nobody serves. */
export async function shownMounts(state: RecoveryState): Promise<MountShown[]> {
  const mounted = Object.values(state.stores).filter((entry) => entry.mounted);
  const folders = new Set(mounted.map(({ directory }) => directory));
  const services = new Set(mounted.map((entry) => entry.mounted?.service as string));
  const shown = await Promise.all([...services].map((service) => mountControl(service).list()));
  return shown.flat().filter(({ mountPoint }) => folders.has(mountPoint));
}

/** Stores that were mounted and aren't, or that nobody serves any more. `known`: what the services said just now. */
export async function unservedStores(
  state: RecoveryState,
  known?: readonly MountShown[],
): Promise<string[]> {
  const unserved: string[] = [];
  const shown = known ?? (await shownMounts(state));
  const served = new Set(shown.map(({ mountPoint }) => mountPoint));
  for (const [store, { directory, mounted }] of Object.entries(state.stores)) {
    if (!mounted || (await isLeft(directory, mounted))) continue;
    const isServed = served.has(directory);
    if (!isServed || !(await isMounted(directory))) unserved.push(store);
  }
  return unserved;
}

/** As it was when its process, or this host, ended; nothing may run on it. Throws `recovery/mount-unknown`. */
export async function mountAgain(
  mounts: MountClient,
  state: RecoveryState,
  store: string,
  signal: AbortSignal,
): Promise<void> {
  const { directory, mounted } = state.stores[store] as Entry;
  if (!mounted) return;
  const { files, pages, snapshot, tree, hasXattrs } = mounted;
  if (snapshot === undefined || tree === undefined || !isLaidOut({ files, state: pages })) {
    throw errors.mountUnknown([state.id, store]);
  }
  await unmountFolder(directory, mounted.service);
  mounted.service = mounts.folder;
  await saveState(state);
  const what = { snapshot, tree, hasXattrs: hasXattrs ?? true, writesBehind: false };
  await mounts.clone({ ...what, files, state: pages, mountPoint: directory }, signal);
}

/** Has all that was written made durable in the background: from then on it survives an end of this host. */
export async function settleStores(state: RecoveryState): Promise<void> {
  for (const { directory, mounted } of Object.values(state.stores)) {
    if (mounted) await mountControl(mounted.service).settle(directory);
  }
}

/** Plain bytes of the repository that the mounts of this recovery needed so far. */
export async function mountedBytesRead(mounts: MountClient, state: RecoveryState): Promise<number> {
  const folders = new Set(Object.values(state.stores).map(({ directory }) => directory));
  const shown = (await mounts.list()).filter(({ mountPoint }) => folders.has(mountPoint));
  return shown.reduce((sum, { readBytes }) => sum + readBytes, 0);
}

type HydrateOptions = {
  progress: ProgressListener;
  signal: AbortSignal;
  crashPoint?: CrashPoint;
};

/** Brings here whatever isn't yet, while everything goes on. May be called again. */
export async function hydrateStores(
  state: RecoveryState,
  { progress, signal, crashPoint = noCrash }: HydrateOptions,
): Promise<void> {
  for (const [store, { directory, mounted }] of Object.entries(state.stores)) {
    if (!mounted || mounted.isWhole) continue;
    const step = `${store}: bringing all of it here`;
    await mountControl(mounted.service).hydrate(
      directory,
      (done) => progress({ step, ...done }),
      signal,
    );
    crashPoint('hydrate/whole');
    mounted.isWhole = true;
    await saveState(state);
  }
}

export type LeaveOptions = {
  crashPoint: CrashPoint;
  /** False: a store that a program has open is left mounted. */
  forced: (store: string) => boolean;
};

/**
 * With all of it here and no server running on them: plain folders take the place of the mounts. Goes on after a crash.
 * Resolves to the stores that were left mounted.
 */
export async function leaveMounts(
  state: RecoveryState,
  { crashPoint, forced }: LeaveOptions = { crashPoint: noCrash, forced: () => true },
): Promise<string[]> {
  const inUse: string[] = [];
  for (const [store, entry] of Object.entries(state.stores)) {
    if (!entry.mounted) continue;
    const { files, pages, service } = entry.mounted;
    if (!forced(store) && !(await unmountUnused(entry.directory))) {
      inUse.push(store);
      continue;
    }
    await unmountFolder(entry.directory, service);
    crashPoint('leave/unmounted');
    if (await entryExists(files)) {
      // What says which pages are here goes with the mount: from here on the disk alone must hold them.
      await syncFileSystem(files);
      // Takes the place of the empty mount point in one step: no program sees neither.
      await fs.rename(files, entry.directory);
      await syncDirectory(path.dirname(files));
    }
    crashPoint('leave/plain');
    await fs.rm(pages, { recursive: true, force: true });
    delete entry.mounted;
    await saveState(state);
  }
  return inUse;
}

/** False where a program has something in it open. */
async function unmountUnused(directory: string): Promise<boolean> {
  return !(await isMounted(directory)) || (await unmountIdle(directory));
}

/** What is mounted is unmounted; nothing of it is kept alive. Idempotent. */
export async function unmountStores(state: RecoveryState): Promise<void> {
  for (const { directory, mounted } of Object.values(state.stores)) {
    if (mounted) await unmountFolder(directory, mounted.service);
  }
  // Asked for by a process that was killed, and mounted only after its end.
  await detachAll(state.folder);
}

async function unmountFolder(directory: string, service: string): Promise<void> {
  await mountControl(service).unmount(directory);
  // The service may be gone, and its guard with it.
  if (await isMounted(directory)) await detach(directory);
}

async function isMounted(directory: string): Promise<boolean> {
  return (await mountPointsBelow(directory)).includes(directory);
}

/** Cut while it left its mount: the plain folder is in its place already. */
async function isLeft(directory: string, { files }: MountedStore): Promise<boolean> {
  return !(await entryExists(files)) && (await entryExists(directory));
}
