/** What maintenance did last, for each task: one row, replaced by each run. */
import type pg from 'pg';
import type { Scope } from './records.ts';

export type MaintenanceRow = {
  task: string;
  doneAtMs: number | undefined;
  record: unknown;
  /** Since when it couldn't be run; undefined where the last run went well. */
  failingSinceMs: number | undefined;
  failure: unknown;
};

type Run = Scope & { task: string; atMs: number };

export async function noteMaintenanceDone(
  pool: pg.Pool,
  { environment, stage, task, atMs }: Run,
  record: unknown,
): Promise<void> {
  await pool.query(
    `insert into maintenance (environment, stage, task, done_at, record) values ($1, $2, $3, $4, $5)
     on conflict (environment, stage, task)
     do update set done_at = $4, record = $5, failing_since = null, failure = null`,
    [environment, stage, task, new Date(atMs), JSON.stringify(record)],
  );
}

/** What the last run that went well found stays. */
export async function noteMaintenanceFailed(
  pool: pg.Pool,
  { environment, stage, task, atMs }: Run,
  failure: unknown,
): Promise<void> {
  await pool.query(
    `insert into maintenance as m (environment, stage, task, failing_since, failure) values ($1, $2, $3, $4, $5)
     on conflict (environment, stage, task)
     do update set failing_since = coalesce(m.failing_since, $4), failure = $5`,
    [environment, stage, task, new Date(atMs), JSON.stringify(failure)],
  );
}

export async function listMaintenance(pool: pg.Pool, scope: Scope): Promise<MaintenanceRow[]> {
  const { rows } = await pool.query(
    `select task, done_at, record, failing_since, failure from maintenance
     where environment = $1 and stage = $2`,
    [scope.environment, scope.stage],
  );
  return rows.map((row) => ({
    task: row.task,
    doneAtMs: row.done_at?.getTime(),
    record: row.record ?? undefined,
    failingSinceMs: row.failing_since?.getTime(),
    failure: row.failure ?? undefined,
  }));
}
