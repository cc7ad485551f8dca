import type pg from 'pg';

export type RecoveryRow = {
  id: string;
  environment: string;
  stage: string;
  status: string;
  createdAtMs: number;
  state: unknown;
};

/** The recovery's own file is the truth of it; this is the copy that lists are made of. */
export async function saveRecovery(pool: pg.Pool, row: RecoveryRow): Promise<void> {
  await pool.query(
    `insert into recovery (id, environment, stage, status, created_at, state) values ($1, $2, $3, $4, $5, $6)
     on conflict (id) do update set status = $4, state = $6`,
    [
      row.id,
      row.environment,
      row.stage,
      row.status,
      new Date(row.createdAtMs),
      JSON.stringify(row.state, (_key, field) =>
        typeof field === 'bigint' ? field.toString() : field,
      ),
    ],
  );
}

export async function removeRecovery(pool: pg.Pool, id: string): Promise<void> {
  await pool.query('delete from recovery where id = $1', [id]);
}
