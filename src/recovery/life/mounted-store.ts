/** Stores of a recovery whose content comes as it is touched: mounted, made to stand on their own, unmounted. */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { ProgressListener } from '#base';
import { type CloneRequest, type MountClient, mountControl } from '../mount/index.ts';
import type { RecoveryState } from '../request.ts';
import type { RestoreProblem } from '../restore/index.ts';
import { exists } from './move.ts';
import { saveState } from './state.ts';

type Entry = RecoveryState['stores'][string];

/** Its folder shows everything when this resolves. Noted before, so that whoever takes it away knows of it. */
export async function mountStore(
  mounts: MountClient,
  state: RecoveryState,
  store: string,
  what: Pick<CloneRequest, 'snapshot' | 'tree' | 'root' | 'hasXattrs'>,
  signal: AbortSignal,
): Promise<RestoreProblem[]> {
  const entry = state.stores[store] as Entry;
  const folder = path.dirname(entry.directory);
  entry.mounted = {
    files: path.join(folder, 'files'),
    pages: path.join(folder, 'pages'),
    service: mounts.folder,
  };
  await saveState(state);
  const { files, pages } = entry.mounted;
  const request = { ...what, files, state: pages, mountPoint: entry.directory };
  const { problems } = await mounts.clone(request, signal);
  return problems;
}

/** Plain bytes of the repository that the mounts of this recovery needed so far. */
export async function mountedBytesRead(mounts: MountClient, state: RecoveryState): Promise<number> {
  const folders = new Set(Object.values(state.stores).map(({ directory }) => directory));
  const shown = (await mounts.list()).filter(({ mountPoint }) => folders.has(mountPoint));
  return shown.reduce((sum, { readBytes }) => sum + readBytes, 0);
}

/** Brings here whatever isn't yet, while everything goes on. May be called again. */
export async function hydrateStores(
  state: RecoveryState,
  progress: ProgressListener,
  signal: AbortSignal,
): Promise<void> {
  for (const [store, { directory, mounted }] of Object.entries(state.stores)) {
    if (!mounted || mounted.isWhole) continue;
    const step = `${store}: bringing all of it here`;
    await mountControl(mounted.service).hydrate(
      directory,
      (done) => progress({ step, ...done }),
      signal,
    );
    mounted.isWhole = true;
    await saveState(state);
  }
}

/** After `hydrateStores`, with nothing running on them: plain folders take the place of the mounts. Goes on after a crash. */
export async function leaveMounts(state: RecoveryState): Promise<void> {
  for (const entry of Object.values(state.stores)) {
    if (!entry.mounted) continue;
    const { files, pages, service } = entry.mounted;
    await unmountFolder(entry.directory, service);
    if (await exists(files)) {
      await fs.rmdir(entry.directory);
      await fs.rename(files, entry.directory);
    }
    await fs.rm(pages, { recursive: true, force: true });
    delete entry.mounted;
    await saveState(state);
  }
}

/** What is mounted is unmounted; nothing of it is kept alive. Idempotent. */
export async function unmountStores(state: RecoveryState): Promise<void> {
  for (const { directory, mounted } of Object.values(state.stores)) {
    if (mounted) await unmountFolder(directory, mounted.service);
  }
}

async function unmountFolder(directory: string, service: string): Promise<void> {
  await mountControl(service).unmount(directory);
  // The service may be gone, and its guard with it.
  if (!(await isMounted(directory))) return;
  try {
    await promisify(execFile)('umount', ['-f', '-l', directory]);
  } catch (error) {
    // The guard may have been quicker.
    if (await isMounted(directory)) throw error;
  }
}

async function isMounted(directory: string): Promise<boolean> {
  const mounts = await fs.readFile('/proc/self/mounts', 'utf8');
  const shown = directory.replaceAll('\\', '\\134').replaceAll(' ', '\\040');
  return mounts.includes(` ${shown} fuse`);
}
