/** What keeps a repository whole and small by itself: checks that read everything in time, and what is unused removed. */
import { isHoldfastError, systemClock } from '#base';
import { noteMaintenanceDone, noteMaintenanceFailed } from '#catalog';
import {
  brokenSets,
  type CheckReport,
  checkRepository,
  extendLocks,
  nextRotation,
  type PhasedPruneResult,
  pruneInPhases,
  writeMissingCopies,
  writeMissingParity,
} from '#repository';
import { failureOf } from '../failure.ts';
import type { ProtectionContext } from './context.ts';

export type MaintenanceTask = 'check' | 'prune' | 'retention';

/** Of a check, as it is kept: the first of what may be many. */
export type CheckSummary = Pick<CheckReport, 'verdict' | 'problems' | 'mended' | 'affected'> & {
  problemCount: number;
  mendedCount: number;
  affectedCount: number;
  tookMs: number;
  readBytes: number;
  /** What can't be recovered any more because somebody removed a snapshot. */
  broken: string[];
  /** In a bucket that locks: files that were found without a lock, or hidden by something else. */
  locks?: { extended: number; lapsed: number; changed: number; lockedUntilMs?: number };
  /** How much of all bytes was read within the period, and what is overdue. */
  rotation: { periodMs: number; totalBytes: number; freshBytes: number; overdue: number };
};

export type PruneSummary = PhasedPruneResult & { tookMs: number };

/** A batch of a journal, or a check, may hold the repository for a while. */
const LOCK_WITHIN_MS = 60_000;
const MOST_KEPT = 20;

/** Mends what can be mended, reads what is next, and gives packs that came without it their parity. */
export async function checkWhole(
  context: ProtectionContext,
  signal: AbortSignal,
): Promise<CheckSummary> {
  return noted(context, 'check', async () => {
    const { repository, environment } = context;
    const { everyMs, periodMs } = environment.repository.check;
    const startedMs = systemClock.monotonicMs();
    const report = await checkRepository(repository, {
      read: { kind: 'rotation', everyMs, periodMs },
      lockWaitMs: LOCK_WITHIN_MS,
      signal,
    });
    // After the check: what is damaged must not be taken for what it should be.
    await writeMissingCopies(repository, signal);
    if ((await repository.parity.setting()).on) {
      await writeMissingParity(repository, { signal, lockWaitMs: LOCK_WITHIN_MS });
    }
    const broken = await brokenSets(repository);
    const locks = await keepLocked(context, signal);
    const rotation = await nextRotation(repository, { everyMs, periodMs });
    const { totalBytes, freshBytes, overdue } = rotation;
    return {
      verdict: report.verdict,
      problems: report.problems.slice(0, MOST_KEPT),
      problemCount: report.problems.length,
      mended: report.mended.slice(0, MOST_KEPT),
      mendedCount: report.mended.length,
      affected: report.affected.slice(0, MOST_KEPT),
      affectedCount: report.affectedCount,
      tookMs: systemClock.monotonicMs() - startedMs,
      readBytes: report.checked.readBytes,
      broken: broken.slice(0, MOST_KEPT).map(({ what }) => what),
      ...(locks && { locks }),
      rotation: { periodMs, totalBytes, freshBytes, overdue },
    };
  });
}

/** Past the next two checks, so that one of them may fail. Undefined where the storage locks nothing. */
async function keepLocked(
  { repository, environment }: ProtectionContext,
  signal: AbortSignal,
): Promise<CheckSummary['locks']> {
  if ((await repository.storage.versions?.lock()) === undefined) return undefined;
  await repository.loadIndex();
  const { everyMs } = environment.repository.check;
  const kept = await extendLocks(repository, { everyMs, signal });
  return {
    extended: kept.extended,
    lapsed: kept.lapsed.length,
    changed: kept.changed.length,
    ...(kept.lockedUntilMs === undefined ? {} : { lockedUntilMs: kept.lockedUntilMs }),
  };
}

/** One phase or both of them, whatever is due. */
export async function pruneUnused(
  context: ProtectionContext,
  signal: AbortSignal,
): Promise<PruneSummary> {
  return noted(context, 'prune', async () => {
    const startedMs = systemClock.monotonicMs();
    const result = await pruneInPhases(context.repository, {
      lockWaitMs: LOCK_WITHIN_MS,
      signal,
    });
    return { ...result, tookMs: systemClock.monotonicMs() - startedMs };
  });
}

/** Whatever came of it is shown by `status`; a run that was stopped goes on later, and says nothing. */
export async function noted<T>(
  { catalog, environment }: ProtectionContext,
  task: MaintenanceTask,
  work: () => Promise<T>,
): Promise<T> {
  const { name, stage } = environment;
  const run = () => ({ environment: name, stage, task, atMs: systemClock.nowMs() });
  try {
    const found = await work();
    await noteMaintenanceDone(catalog.pool, run(), found);
    return found;
  } catch (error) {
    const isStop = isHoldfastError(error) && error.kind === 'interrupted';
    if (!isStop) await noteMaintenanceFailed(catalog.pool, run(), failureOf(error));
    throw error;
  }
}
