/** Proofs: rows that mirror the repository's records. Writing one twice is one. */
import type pg from 'pg';
import { json, time } from './parameters.ts';
import type { Scope } from './records.ts';

export type ProofRow = Scope & {
  id: string;
  point: string | undefined;
  instantMs: number;
  startedAtMs: number;
  endedAtMs: number;
  verdict: string;
  /** The whole record; 64-bit numbers as decimal text. */
  record: unknown;
};

export async function saveProof(pool: pg.Pool, row: ProofRow): Promise<void> {
  await pool.query(
    `insert into proof (id, environment, stage, point, instant, started_at, ended_at, verdict, record)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (id) do nothing`,
    [
      row.id,
      row.environment,
      row.stage,
      row.point ?? null,
      time(row.instantMs),
      time(row.startedAtMs),
      time(row.endedAtMs),
      row.verdict,
      json(row.record),
    ],
  );
}

/** Newest first, `limit` at most. */
export async function listProofs(pool: pg.Pool, scope: Scope, limit: number): Promise<ProofRow[]> {
  const { rows } = await pool.query(
    `select * from proof where environment = $1 and stage = $2
     order by ended_at desc, id desc limit $3`,
    [scope.environment, scope.stage, limit],
  );
  return rows.map(rowOf);
}

/** The last one of each of these points that has any. */
export async function lastProofs(
  pool: pg.Pool,
  points: readonly string[],
): Promise<Map<string, ProofRow>> {
  const { rows } = await pool.query(
    `select distinct on (point) * from proof where point = any($1)
     order by point, ended_at desc, id desc`,
    [points],
  );
  return new Map(rows.map((row) => [row.point as string, rowOf(row)]));
}

/** The last one of this verdict, or undefined where there is none. */
export async function lastProofOf(
  pool: pg.Pool,
  scope: Scope,
  verdict: string,
): Promise<ProofRow | undefined> {
  const { rows } = await pool.query(
    `select * from proof where environment = $1 and stage = $2 and verdict = $3
     order by ended_at desc, id desc limit 1`,
    [scope.environment, scope.stage, verdict],
  );
  return rows[0] && rowOf(rows[0]);
}

function rowOf(row: pg.QueryResultRow): ProofRow {
  return {
    id: row.id,
    environment: row.environment,
    stage: row.stage,
    point: row.point ?? undefined,
    instantMs: row.instant.getTime(),
    startedAtMs: row.started_at.getTime(),
    endedAtMs: row.ended_at.getTime(),
    verdict: row.verdict,
    record: row.record,
  };
}
