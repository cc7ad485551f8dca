/** What was cut by an end of the process that was at it: told from what goes on, and gone on with or given up. */
import path from 'node:path';
import { lockFile, systemCode } from '#base';
import type { RecoveryState } from '../request.ts';
import { alone } from './alone.ts';
import { LOCK_FILE } from './folder.ts';
import { unmountStores } from './mounted-store.ts';
import { saveState } from './state.ts';
import {
  promoteRecovery,
  removeRecovery,
  type SwitchOptions,
  stopCopy,
  undoRecovery,
} from './switch.ts';

/** As long as somebody is at it. */
const BUSY: readonly RecoveryState['status'][] = ['recovering', 'promoting', 'undoing', 'removing'];

/** Nobody is at it though its state says so: who was has ended, or failed and told why. */
export async function isCut({ status, folder }: RecoveryState): Promise<boolean> {
  if (!BUSY.includes(status)) return false;
  try {
    const lock = await lockFile(path.join(folder, LOCK_FILE));
    await lock?.release();
    return lock !== undefined;
  } catch (error) {
    // Removed meanwhile: whoever was at it came to the end.
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/**
 * A switch that began goes to its end, for production stands still; a removal too. What wasn't up yet is given up: nothing
 * of it goes on running, and it stays as one that failed. What failed by itself waits for a person. Throws what these
 * throw, and `recovery/being-changed` where somebody is at it. Resolves to whether there was something to do.
 */
export async function goOnWithCut(options: SwitchOptions): Promise<boolean> {
  const { status, error } = options.state;
  if (!BUSY.includes(status) || error !== undefined) return false;
  if (status === 'recovering') await alone(options.state, () => giveUp(options));
  else if (status === 'promoting') await promoteRecovery(options);
  else if (status === 'undoing') await undoRecovery(options);
  else await removeRecovery(options);
  return true;
}

async function giveUp(options: SwitchOptions): Promise<void> {
  const { state } = options;
  if (state.status !== 'recovering') return;
  state.status = 'failed';
  state.error = 'the process that made it ended before it was up';
  await saveState(state);
  await stopCopy(options);
  await unmountStores(state);
}
