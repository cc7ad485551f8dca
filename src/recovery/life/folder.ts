/**
 * The folder of a recovery appears whole, locked and with its state in it, and goes whole: what a kill leaves either has a
 * state that can be listed, gone on with and removed, or lies under another name, where the next one takes it away.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import {
  type FileLock,
  isReachable,
  lockFile,
  shortId,
  syncDirectory,
  systemCode,
  writeFileDurably,
} from '#base';
import type { RecoveryState } from '../request.ts';
import { type CrashPoint, noCrash } from './crash-point.ts';

export const STATE_FILE = 'recovery.json';
/** Held by whoever makes, changes or removes it. */
export const LOCK_FILE = 'lock';
const ID = /^r[0-9a-z]{1,20}$/;
const PASSING_NAME = /^\.r[0-9a-z]{1,20}\.(making|gone)$/;

export const isRecoveryId = (id: string): boolean => ID.test(id);

export const stateText = (state: RecoveryState): string => `${JSON.stringify(state, null, 2)}\n`;

/** `stateOf` says what is noted of it from the beginning. Whoever made it holds its lock. */
export async function makeRecoveryFolder(
  root: string,
  stateOf: (place: Pick<RecoveryState, 'id' | 'folder'>) => RecoveryState,
  crashPoint: CrashPoint = noCrash,
): Promise<{ state: RecoveryState; lock: FileLock }> {
  await sweepPassingFolders(root);
  for (;;) {
    const id = shortId('r', 5);
    const making = path.join(root, `.${id}.making`);
    // Databases run as a user of their own, who must reach their folder but see nothing else.
    await fs.mkdir(making, { mode: 0o711 });
    const lock = await lockFile(path.join(making, LOCK_FILE)).catch(absent);
    // Whoever sweeps at this very moment took it for one that was left.
    if (!lock || !(await isReachable(making))) continue;
    const state = stateOf({ id, folder: path.join(root, id) });
    await writeFileDurably(path.join(making, STATE_FILE), stateText(state));
    crashPoint('create/folder');
    await fs.rename(making, state.folder);
    await syncDirectory(root);
    crashPoint('create/noted');
    return { state, lock };
  }
}

/** For whoever holds its lock, when nothing of it runs or is mounted any more. */
export async function removeRecoveryFolder(
  { id, folder }: Pick<RecoveryState, 'id' | 'folder'>,
  crashPoint: CrashPoint = noCrash,
): Promise<void> {
  for (const name of await fs.readdir(folder)) {
    if (name === LOCK_FILE || name === STATE_FILE) continue;
    await fs.rm(path.join(folder, name), { recursive: true, force: true });
  }
  crashPoint('remove/emptied');
  const gone = path.join(path.dirname(folder), `.${id}.gone`);
  await fs.rename(folder, gone);
  crashPoint('remove/unnoted');
  await fs.rm(gone, { recursive: true, force: true });
}

/** What kills left of recoveries that hadn't begun, or had almost gone. */
export async function sweepPassingFolders(root: string): Promise<void> {
  const names = (await fs.readdir(root).catch(absent)) ?? [];
  for (const name of names.filter((one) => PASSING_NAME.test(one))) {
    const folder = path.join(root, name);
    const lock = await lockFile(path.join(folder, LOCK_FILE)).catch(absent);
    if (!lock) continue;
    await fs.rm(folder, { recursive: true, force: true });
    await lock.release();
  }
}

export async function recoveryFolders(root: string): Promise<string[]> {
  const names = (await fs.readdir(root).catch(absent)) ?? [];
  return names.filter(isRecoveryId).map((name) => path.join(root, name));
}

function absent(error: unknown): undefined {
  if (systemCode(error) === 'ENOENT') return undefined;
  throw error;
}
