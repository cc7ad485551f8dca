/** How a mounted recovery stands: what is here, what brings the rest, what it lacks. */
import { formatDuration, formatSize, systemClock } from '#base';
import type { ShownRecovery } from './report.ts';

type Hydration = NonNullable<ShownRecovery['hydration']>;

/** What goes on with one that was cut. */
const CUT_ADVICE: Partial<Record<ShownRecovery['status'], (id: string) => string>> = {
  recovering: (id) => `holdfast recovery remove ${id}, and recover again`,
  promoting: (id) =>
    `holdfast recovery promote ${id} goes on, holdfast recovery undo ${id} takes it back`,
  undoing: (id) => `holdfast recovery undo ${id} goes on`,
  removing: (id) => `holdfast recovery remove ${id} goes on`,
};

/** For one cell of a table. */
export function lifeText({ status, unserved, hydration, isCut }: ShownRecovery): string {
  if (isCut) return `${status}, cut off`;
  if (unserved) return `${status}, mount lost`;
  return hydration ? `${status}, ${shareText(hydration)}` : status;
}

/** Whole percent; 100 only where nothing is missing. */
export function shareText({ presentBytes, totalBytes, state }: Hydration): string {
  const share = totalBytes === 0 ? 1 : presentBytes / totalBytes;
  const percent = share < 1 ? Math.min(99, Math.floor(share * 100)) : 100;
  return state === 'done' ? 'all here' : `${percent}% here`;
}

/** What a person may want to know or do next. */
export function lifeLines(recovery: ShownRecovery): string[] {
  const { id, status, error, unserved, hydration, troubles = [], isCut } = recovery;
  const advice = CUT_ADVICE[status]?.(id);
  if (error !== undefined) return ['', `! ${error}`, ...(advice ? [`  ${advice}`] : [])];
  if (isCut && advice) return ['', `! Nobody is at it any more: ${advice}`];
  if (unserved) {
    const which = unserved.join(', ');
    return ['', `! The mount of ${which} lost its process: holdfast recovery resume ${id}`];
  }
  const told = troubles.map((what) => `! ${what}`);
  return hydration ? ['', `  ${hydrationText(id, hydration)}`, ...told] : told;
}

function hydrationText(id: string, hydration: Hydration): string {
  const { state, presentBytes, totalBytes, failure, leaveAtMs } = hydration;
  const here = `${formatSize(presentBytes)} of ${formatSize(totalBytes)} here`;
  if (failure !== undefined) return `! ${here}; it stopped: ${failure}`;
  if (leaveAtMs !== undefined) {
    const inMs = Math.max(0, leaveAtMs - systemClock.nowMs());
    return `all here; its databases restart once in ${formatDuration(inMs)}, to stand on plain folders`;
  }
  if (state === 'running') return `${here}${paceText(hydration)}`;
  if (state === 'done')
    return `all here; to stand on plain folders: holdfast recovery hydrate ${id}`;
  const held = state === 'paused' ? ', paused' : '';
  return `${here}${held}, the rest comes as it is touched; all of it: holdfast recovery hydrate ${id}`;
}

function paceText({ bytesPerSecond, remainingMs }: Hydration): string {
  const rate = bytesPerSecond === undefined ? '' : `, at most ${formatSize(bytesPerSecond)}/s`;
  return remainingMs === undefined ? rate : `${rate}, ${formatDuration(remainingMs)} left`;
}
