/** What maintenance found last, and what of it a person must know. */
import { formatCounted, formatDuration, systemClock } from '#base';
import { listMaintenance, type MaintenanceRow } from '#catalog';
import type { MaintenanceStatus } from '#server';
import type { Failure } from '../failure.ts';
import type { ProtectionContext } from '../protection/context.ts';
import type { CheckSummary, MaintenanceTask, PruneSummary } from '../protection/maintenance.ts';

/** A run that fails is tried again each time; after this a person is told. */
const FAILING_TOO_LONG_MS = 7 * 86_400_000;
/** Of a task that is rare, so many runs must have failed. */
const RUNS_TOO_MANY = 2;

export async function maintenanceStatus({
  catalog,
  environment,
}: Pick<ProtectionContext, 'catalog' | 'environment'>): Promise<MaintenanceStatus> {
  const { name, stage } = environment;
  const rows = await listMaintenance(catalog.pool, { environment: name, stage });
  const of = (task: string) => rows.find((row) => row.task === task);
  const { check, prune } = environment.repository;
  const last = { check: of('check'), prune: of('prune'), retention: of('retention') };
  return maintenanceOf(last, {
    checkEveryMs: check.everyMs,
    pruneEveryMs: prune.everyMs,
    nowMs: systemClock.nowMs(),
  });
}

type Judging = { checkEveryMs: number; pruneEveryMs: number; nowMs: number };

/** By task; absent before its first run. */
export type LastRuns = { [task in MaintenanceTask]?: MaintenanceRow | undefined };

export function maintenanceOf(
  { check, prune, retention }: LastRuns,
  judging: Judging,
): MaintenanceStatus {
  const findings = [
    ...checkFindings(check),
    ...pruneFindings(prune),
    ...failing('check', check, judging.checkEveryMs, judging.nowMs),
    ...failing('prune', prune, judging.pruneEveryMs, judging.nowMs),
    ...failing('retention', retention, 0, judging.nowMs),
  ];
  return {
    check: checkView(check),
    prune: pruneView(prune),
    retention: {
      ...(retention?.doneAtMs === undefined ? {} : { atMs: retention.doneAtMs }),
      ...failureView(retention),
    },
    findings,
  };
}

function checkView(row: MaintenanceRow | undefined): MaintenanceStatus['check'] {
  const found = row?.record as CheckSummary | undefined;
  const failure = failureView(row);
  if (!found || row?.doneAtMs === undefined) return { verdict: 'unknown', ...failure };
  const { verdict, problems, problemCount, mended, mendedCount, affected, affectedCount } = found;
  return {
    verdict,
    atMs: row.doneAtMs,
    ...{ problems, problemCount, mended, mendedCount, affected, affectedCount },
    ...{ readBytes: found.readBytes, ...found.rotation },
    ...failure,
  };
}

function pruneView(row: MaintenanceRow | undefined): MaintenanceStatus['prune'] {
  const found = row?.record as PruneSummary | undefined;
  const atMs = row?.doneAtMs;
  return {
    ...(atMs === undefined ? {} : { atMs }),
    ...(found?.swept && { packsRemoved: found.swept.packsRemoved }),
    ...(found?.nextSweepMs === undefined ? {} : { nextSweepMs: found.nextSweepMs }),
    ...(found?.blocked && { blocked: found.blocked }),
    ...failureView(row),
  };
}

function failureView(row: MaintenanceRow | undefined) {
  const failure = row?.failure as Failure | undefined;
  if (!failure || row?.failingSinceMs === undefined) return {};
  return { failing: { sinceMs: row.failingSinceMs, what: failure.message } };
}

function checkFindings(row: MaintenanceRow | undefined): string[] {
  const found = row?.record as CheckSummary | undefined;
  if (!found) return [];
  const findings: string[] = [];
  if (found.verdict === 'fail') {
    const files =
      found.affectedCount > 0
        ? `, ${formatCounted(found.affectedCount, 'file')} can't come back`
        : '';
    findings.push(
      `the repository is damaged: ${formatCounted(found.problemCount, 'problem')}${files}`,
      ...found.problems.map(({ what }) => what),
    );
  }
  findings.push(...found.broken);
  const { lapsed = 0, changed = 0 } = found.locks ?? {};
  if (changed > 0) {
    findings.push(
      `${formatCounted(changed, 'locked file')} hidden or overwritten: holdfast repo recover-versions brings them back`,
    );
  }
  if (lapsed > 0)
    findings.push(`${formatCounted(lapsed, 'file')} had no lock any more, and have one again`);
  const { overdue, periodMs } = found.rotation;
  if (overdue > 0) {
    findings.push(
      `${formatCounted(overdue, 'stored file')} weren't read within ${formatDuration(periodMs)}`,
    );
  }
  return findings;
}

function pruneFindings(row: MaintenanceRow | undefined): string[] {
  const finding = (row?.record as PruneSummary | undefined)?.finding;
  return finding === undefined ? [] : [finding];
}

function failing(
  task: string,
  row: MaintenanceRow | undefined,
  everyMs: number,
  nowMs: number,
): string[] {
  if (row?.failingSinceMs === undefined) return [];
  const forMs = nowMs - row.failingSinceMs;
  if (forMs < Math.max(FAILING_TOO_LONG_MS, RUNS_TOO_MANY * everyMs)) return [];
  const what = (row.failure as Failure | undefined)?.message ?? 'nobody knows why';
  return [`no ${task} of the repository for ${formatDuration(forMs)}: ${what}`];
}
