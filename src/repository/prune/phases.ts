/**
 * Pruning beside backups, in two phases: a mark says what no snapshot needs, and after a grace a sweep removes what is
 * still not needed, holding the repository alone for seconds only. Called by schedule, it does what is due.
 */
import { type Clock, formatDuration, type ProgressListener, silent, systemClock } from '#base';
import { errors } from '../errors.ts';
import type { Repository } from '../repository.ts';
import { type MarkSummary, markPhase } from './mark-phase.ts';
import { DEFAULT_MAX_UNUSED } from './prune.ts';
import { readMarks } from './prune-mark.ts';
import { type SweepSummary, sweepPhase } from './sweep-phase.ts';

/** Names the places between two durable steps, for tests that kill there. */
export type PruneCrashPoint =
  | 'prune/marked'
  | 'prune/mark-taken'
  | 'prune/packs-copied'
  | 'prune/indexes-written'
  | 'prune/indexes-removed'
  | 'prune/pack-removed'
  | 'prune/packs-removed';

export type PhasedPruneOptions = {
  /** How long what was marked is left alone. Default 23 h, so that a daily run sweeps what the one before marked. */
  graceMs?: number;
  maxUnused?: number;
  dryRun?: boolean;
  /** How long to wait for a lock. Default one minute. */
  lockWaitMs?: number;
  signal?: AbortSignal;
  progress?: ProgressListener;
  clock?: Clock;
  crashPoint?: (name: PruneCrashPoint) => void;
};

export type PhaseContext = Required<Omit<PhasedPruneOptions, 'signal'>> & {
  repository: Repository;
  signal: AbortSignal | undefined;
  nowMs: number;
};

export type PhasedPruneResult = {
  dryRun: boolean;
  /** What this run removed. */
  swept?: SweepSummary;
  /** What this run marked; absent where there was nothing to do. */
  marked?: MarkSummary;
  /** When the next sweep is due, where a mark waits for it. */
  nextSweepMs?: number;
  /** The sweep was due and somebody else held the repository. */
  blocked?: { sinceMs: number; by: string };
  /** What a person should know: no exclusive lock was to be had for a week. */
  finding?: string;
};

const GRACE_MS = 23 * 3_600_000;
const LOCK_WAIT_MS = 60_000;
const BLOCKED_TOO_LONG_MS = 7 * 24 * 3_600_000;

/**
 * Sweeps what is ripe, then marks anew. Throws `repository/used-blob-missing`, `repository/locked` (somebody prunes at
 * this moment) and what reading throws; may be called again after any failure or kill.
 */
export async function pruneInPhases(
  repository: Repository,
  options: PhasedPruneOptions = {},
): Promise<PhasedPruneResult> {
  if (repository.config.version < 2) {
    throw errors.olderFormat([repository.location, repository.config.version]);
  }
  const context = contextOf(repository, options);
  const result: PhasedPruneResult = { dryRun: context.dryRun };
  for (const mark of await readMarks(repository)) {
    const dueMs = mark.atMs + context.graceMs;
    if (dueMs > context.nowMs || context.dryRun) {
      return { ...result, nextSweepMs: dueMs };
    }
    const outcome = await sweepPhase(context, mark);
    if (outcome.did === 'swept') result.swept = outcome.summary;
    if (outcome.did === 'blocked') return { ...result, ...blocked(context, dueMs, outcome.by) };
  }
  const marked = await markPhase(context);
  if (!marked) return result;
  return { ...result, marked, nextSweepMs: marked.atMs + context.graceMs };
}

function contextOf(repository: Repository, options: PhasedPruneOptions): PhaseContext {
  const clock = options.clock ?? systemClock;
  return {
    repository,
    graceMs: options.graceMs ?? GRACE_MS,
    maxUnused: options.maxUnused ?? DEFAULT_MAX_UNUSED,
    dryRun: options.dryRun ?? false,
    lockWaitMs: options.lockWaitMs ?? LOCK_WAIT_MS,
    signal: options.signal,
    progress: options.progress ?? silent,
    clock,
    crashPoint: options.crashPoint ?? (() => {}),
    nowMs: clock.nowMs(),
  };
}

/** Since the sweep was due: nothing else needs to be kept to know for how long it has been tried. */
function blocked(
  { nowMs }: PhaseContext,
  dueMs: number,
  by: string,
): Pick<PhasedPruneResult, 'blocked' | 'finding' | 'nextSweepMs'> {
  const triedMs = nowMs - dueMs;
  const told = { blocked: { sinceMs: dueMs, by }, nextSweepMs: dueMs };
  if (triedMs < BLOCKED_TOO_LONG_MS) return told;
  const finding = `unused space can't be given back: for ${formatDuration(triedMs)} the repository was never free for a moment (${by})`;
  return { ...told, finding };
}
