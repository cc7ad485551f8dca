/** Plain SQL migrations: numbered files, applied in order, each once, all in one transaction under one lock. */
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { messageOf, systemCode } from '#base';
import { errors } from './errors.ts';

const FOLDER = fileURLToPath(new URL('migrations/', import.meta.url));
/** Any fixed number: servers that share a Postgres migrate one after another. */
const LOCK = 4_870_331_102;
const INSUFFICIENT_PRIVILEGE = '42501';

export type Migration = { name: string; sql: string; digest: string };

export async function readMigrations(folder = FOLDER): Promise<Migration[]> {
  const names = (await fs.readdir(folder)).filter((name) => /^\d{4}-[a-z0-9-]+\.sql$/.test(name));
  return Promise.all(
    names.sort().map(async (name) => {
      const sql = await fs.readFile(`${folder}/${name}`, 'utf8');
      return { name, sql, digest: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

/**
 * Brings the schema to the newest version, wholly or not at all; may be called by many servers at once. Resolves to
 * the names that were applied. Throws `catalog/newer-schema`, `catalog/changed-migration`, `catalog/migration-failed`.
 */
export async function migrate(pool: pg.Pool, migrations: readonly Migration[]): Promise<string[]> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query("set local lock_timeout = '60s'");
    await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
    const pending = await pendingOf(client, migrations);
    for (const migration of pending) await apply(client, migration);
    await client.query('commit');
    return pending.map((migration) => migration.name);
  } catch (error) {
    await client.query('rollback').catch(() => {
      // The connection is gone, and with it the transaction.
    });
    if (systemCode(error) !== INSUFFICIENT_PRIVILEGE) throw error;
    throw errors.notAllowed([messageOf(error), client.user ?? '', client.database ?? ''], {
      cause: error,
    });
  } finally {
    client.release();
  }
}

async function pendingOf(
  client: pg.PoolClient,
  migrations: readonly Migration[],
): Promise<Migration[]> {
  await client.query('create schema if not exists holdfast');
  await client.query('set local search_path to holdfast');
  await client.query(
    'create table if not exists migration (name text primary key, digest text not null, applied_at timestamptz not null default now())',
  );
  const { rows } = await client.query<{ name: string; digest: string }>(
    'select name, digest from migration order by name',
  );
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const row of rows) {
    const migration = known.get(row.name);
    if (!migration) throw errors.newerSchema([row.name]);
    if (migration.digest !== row.digest) throw errors.changedMigration([row.name]);
  }
  const applied = new Set(rows.map((row) => row.name));
  return migrations.filter((migration) => !applied.has(migration.name));
}

async function apply(client: pg.PoolClient, migration: Migration): Promise<void> {
  try {
    await client.query(migration.sql);
  } catch (error) {
    throw errors.migrationFailed([migration.name, messageOf(error)], { cause: error });
  }
  await client.query('insert into migration (name, digest) values ($1, $2)', [
    migration.name,
    migration.digest,
  ]);
}
