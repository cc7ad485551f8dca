/**
 * `recovery.json` in a recovery's folder is the truth of it: written durably before and after each step, so that
 * whoever comes after a crash knows what to go on with or to take away.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { systemCode, writeFileDurably } from '#base';
import { errors } from '../errors.ts';
import type { RecoveryState } from '../request.ts';
import { isRecoveryId, recoveryFolders, STATE_FILE, stateText } from './folder.ts';

/** Those of a copy that is up, beside production. */
export const LIVES: readonly RecoveryState['status'][] = ['ready', 'checks-failed'];

export async function saveState(state: RecoveryState): Promise<void> {
  await writeFileDurably(path.join(state.folder, STATE_FILE), stateText(state));
}

/** Undefined where the folder holds none. */
export async function readState(folder: string): Promise<RecoveryState | undefined> {
  try {
    return JSON.parse(await fs.readFile(path.join(folder, STATE_FILE), 'utf8')) as RecoveryState;
  } catch (error) {
    // A folder without a state is one whose creation was cut short, or none of ours.
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** All recoveries below a root, oldest first. */
export async function listRecoveries(root: string): Promise<RecoveryState[]> {
  const states = await Promise.all((await recoveryFolders(root)).map(readState));
  return states
    .filter((state): state is RecoveryState => state !== undefined)
    .sort((a, b) => a.createdAtMs - b.createdAtMs);
}

/** Throws `recovery/no-such-recovery`. */
export async function loadRecovery(root: string, id: string): Promise<RecoveryState> {
  const state = isRecoveryId(id) ? await readState(path.join(root, id)) : undefined;
  if (!state) throw errors.noSuchRecovery([id]);
  return state;
}
