/**
 * Captures, points, marks and gaps: rows that mirror the repository's records. Writing one twice is one; the record
 * itself is kept whole, as JSON.
 */
import type pg from 'pg';
import { json, time } from './parameters.ts';

export type Scope = { environment: string; stage: string };

export type CaptureRow = Scope & {
  id: string;
  store: string;
  kind: string;
  snapshot: string;
  startedAtMs: number;
  endedAtMs: number;
  record: unknown;
};

export type PointRow = Scope & { id: string; atMs: number; record: unknown };

export type MarkRow = Scope & {
  id: string;
  kind: string;
  atMs: number;
  sha?: string | undefined;
  author?: string | undefined;
  note?: string | undefined;
  record: unknown;
};

export type GapRow = Scope & {
  id: string;
  store: string;
  fromMs: number;
  toMs?: number | undefined;
  because: string;
  record: unknown;
};

export async function saveCapture(pool: pg.Pool, row: CaptureRow): Promise<void> {
  await pool.query(
    `insert into capture (id, environment, stage, store, kind, snapshot, started_at, ended_at, record)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (id) do nothing`,
    [
      row.id,
      row.environment,
      row.stage,
      row.store,
      row.kind,
      row.snapshot,
      time(row.startedAtMs),
      time(row.endedAtMs),
      json(row.record),
    ],
  );
}

export async function savePoint(pool: pg.Pool, row: PointRow): Promise<void> {
  await pool.query(
    `insert into point (id, environment, stage, at, record) values ($1, $2, $3, $4, $5)
     on conflict (id) do nothing`,
    [row.id, row.environment, row.stage, time(row.atMs), json(row.record)],
  );
}

export async function saveMark(pool: pg.Pool, row: MarkRow): Promise<void> {
  await pool.query(
    `insert into mark (id, environment, stage, kind, at, sha, author, note, record)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (id) do nothing`,
    [
      row.id,
      row.environment,
      row.stage,
      row.kind,
      time(row.atMs),
      row.sha ?? null,
      row.author ?? null,
      row.note ?? null,
      json(row.record),
    ],
  );
}

/** A gap that has ended since is updated. */
export async function saveGap(pool: pg.Pool, row: GapRow): Promise<void> {
  await pool.query(
    `insert into gap (id, environment, stage, store, from_at, to_at, because, record)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (id) do update set to_at = excluded.to_at, record = excluded.record`,
    [
      row.id,
      row.environment,
      row.stage,
      row.store,
      time(row.fromMs),
      row.toMs === undefined ? null : time(row.toMs),
      row.because,
      json(row.record),
    ],
  );
}

/** Newest first. */
export async function listCaptures(
  pool: pg.Pool,
  scope: Scope,
  limit: number,
): Promise<CaptureRow[]> {
  const { rows } = await pool.query(
    `select id, environment, stage, store, kind, snapshot, started_at, ended_at, record from capture
     where environment = $1 and stage = $2 order by ended_at desc, id desc limit $3`,
    [scope.environment, scope.stage, limit],
  );
  return rows.map((row) => ({
    id: row.id,
    environment: row.environment,
    stage: row.stage,
    store: row.store,
    kind: row.kind,
    snapshot: row.snapshot,
    startedAtMs: row.started_at.getTime(),
    endedAtMs: row.ended_at.getTime(),
    record: row.record,
  }));
}

/** Of these captures, by id: the one that each was made of, for those that were made without asking their store. */
export async function capturesMadeOf(
  pool: pg.Pool,
  ids: readonly string[],
): Promise<Map<string, string>> {
  const { rows } = await pool.query<{ id: string; made_of: string }>(
    `select id, record->'facts'->>'madeOf' as made_of from capture
     where id = any($1) and record->'facts' ? 'madeOf'`,
    [ids],
  );
  return new Map(rows.map(({ id, made_of }) => [id, made_of]));
}

/** Newest first, `limit` at most. */
export async function listPoints(pool: pg.Pool, scope: Scope, limit: number): Promise<PointRow[]> {
  const { rows } = await pool.query(
    `select id, environment, stage, at, record from point
     where environment = $1 and stage = $2 order by at desc, id desc limit $3`,
    [scope.environment, scope.stage, limit],
  );
  return rows.map((row) => ({
    id: row.id,
    environment: row.environment,
    stage: row.stage,
    atMs: row.at.getTime(),
    record: row.record,
  }));
}

export async function listMarks(pool: pg.Pool, scope: Scope, limit: number): Promise<MarkRow[]> {
  const { rows } = await pool.query(
    `select id, environment, stage, kind, at, sha, author, note, record from mark
     where environment = $1 and stage = $2 order by at desc, id desc limit $3`,
    [scope.environment, scope.stage, limit],
  );
  return rows.map((row) => ({
    id: row.id,
    environment: row.environment,
    stage: row.stage,
    kind: row.kind,
    atMs: row.at.getTime(),
    sha: row.sha ?? undefined,
    author: row.author ?? undefined,
    note: row.note ?? undefined,
    record: row.record,
  }));
}

export async function listGaps(pool: pg.Pool, scope: Scope, limit: number): Promise<GapRow[]> {
  const { rows } = await pool.query(
    `select id, environment, stage, store, from_at, to_at, because, record from gap
     where environment = $1 and stage = $2 order by from_at desc limit $3`,
    [scope.environment, scope.stage, limit],
  );
  return rows.map((row) => ({
    id: row.id,
    environment: row.environment,
    stage: row.stage,
    store: row.store,
    fromMs: row.from_at.getTime(),
    toMs: row.to_at?.getTime(),
    because: row.because,
    record: row.record,
  }));
}

/** By store. Bytes are those that the captures took in the repository when they were made. */
export async function captureTotals(
  pool: pg.Pool,
  scope: Scope,
): Promise<Map<string, { captures: number; storedBytes: number; sinceMs: number }>> {
  const { rows } = await pool.query<{
    store: string;
    captures: string;
    stored: string;
    since: Date;
  }>(
    `select store, count(*) as captures, min(ended_at) as since, sum((record->'statistics'->>'storedBytes')::numeric) as stored
     from capture where environment = $1 and stage = $2 group by store`,
    [scope.environment, scope.stage],
  );
  return new Map(
    rows.map(({ store, captures, stored, since }) => [
      store,
      { captures: Number(captures), storedBytes: Number(stored), sinceMs: since.getTime() },
    ]),
  );
}

export async function countPoints(pool: pg.Pool, scope: Scope): Promise<number> {
  const { rows } = await pool.query<{ count: string }>(
    'select count(*) from point where environment = $1 and stage = $2',
    [scope.environment, scope.stage],
  );
  return Number(rows[0]?.count ?? 0);
}

const TABLES = ['capture', 'point', 'mark', 'gap', 'proof'] as const;

/** Rows whose records the repository no longer holds, after retention. */
export async function removeRecords(
  pool: pg.Pool,
  table: (typeof TABLES)[number],
  ids: readonly string[],
): Promise<void> {
  await pool.query(`delete from ${table} where id = any($1)`, [ids]);
}
