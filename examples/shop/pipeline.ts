/**
 * The shop's analytics: turns orders into key figures in DuckDB, again every `EVERY_MS`. Each round builds a new file
 * and renames it into place, so that the folder always holds one whole warehouse.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import pg from 'pg';

type DayRow = { day: string; orders: string; revenue_cents: string };

const folder = process.env.WAREHOUSE ?? 'warehouse';
const everyMs = Number(process.env.EVERY_MS ?? 2_000);
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 1 });
pool.on('error', () => {});

const DAILY = `select to_char(placed_at at time zone 'utc', 'YYYY-MM-DD') as day,
  count(*) as orders, sum(total_cents) as revenue_cents from orders group by 1 order by 1`;

async function build(rows: readonly DayRow[]): Promise<void> {
  const file = path.join(folder, 'kpi.duckdb');
  const next = path.join(folder, `next-${process.pid}.tmp`);
  await fs.rm(next, { force: true });
  const instance = await DuckDBInstance.create(next);
  const connection = await instance.connect();
  await connection.run('create table kpi (day date, orders bigint, revenue_cents bigint)');
  for (const row of rows) {
    await connection.run('insert into kpi values ($1::date, $2::bigint, $3::bigint)', [
      ...[row.day, row.orders, row.revenue_cents],
    ]);
  }
  await connection.run('checkpoint');
  connection.closeSync();
  instance.closeSync();
  await fs.rename(next, file);
}

async function round(): Promise<void> {
  const { rows } = await pool.query<DayRow>(DAILY);
  await build(rows);
}

await fs.mkdir(folder, { recursive: true });
for (;;) {
  try {
    await round();
  } catch (error) {
    process.stderr.write(`this round failed, the next one follows: ${(error as Error).message}\n`);
  }
  await new Promise((resolve) => setTimeout(resolve, everyMs));
}
