import type pg from 'pg';

export type EnvironmentRow = {
  name: string;
  stage: string;
  file: string;
  overlay: string | undefined;
  appliedAtMs: number;
};

export type StoreRow = {
  name: string;
  source: string;
  declared: Record<string, unknown>;
};

/** Replaces what was declared before; stores that are no longer declared stay, inactive, with their captures. */
export async function saveEnvironment(
  pool: pg.Pool,
  environment: Omit<EnvironmentRow, 'appliedAtMs'>,
  stores: readonly StoreRow[],
): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query(
      `insert into environment (name, stage, file, overlay) values ($1, $2, $3, $4)
       on conflict (name, stage) do update set file = $3, overlay = $4, applied_at = now()`,
      [environment.name, environment.stage, environment.file, environment.overlay ?? null],
    );
    await client.query('update store set active = false where environment = $1 and stage = $2', [
      environment.name,
      environment.stage,
    ]);
    for (const store of stores) {
      await client.query(
        `insert into store (environment, stage, name, source, declared) values ($1, $2, $3, $4, $5)
         on conflict (environment, stage, name) do update set source = $4, declared = $5, active = true`,
        [
          environment.name,
          environment.stage,
          store.name,
          store.source,
          JSON.stringify(store.declared),
        ],
      );
    }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => {
      // The connection is gone, and with it the transaction.
    });
    throw error;
  } finally {
    client.release();
  }
}

export async function listEnvironments(pool: pg.Pool): Promise<EnvironmentRow[]> {
  const { rows } = await pool.query<{
    name: string;
    stage: string;
    file: string;
    overlay: string | null;
    applied_at: Date;
  }>('select name, stage, file, overlay, applied_at from environment order by name, stage');
  return rows.map((row) => ({
    name: row.name,
    stage: row.stage,
    file: row.file,
    overlay: row.overlay ?? undefined,
    appliedAtMs: row.applied_at.getTime(),
  }));
}
