/** The database that is measured: a pgbench one on Postgres 15, checksums on, WAL archived where an archive is named. */
import path from 'node:path';
import { startTestServer, type TestServer } from '../src/sources/postgres/test-server.ts';
import { measure } from './measure.ts';

const BYTES_PER_SCALE = 15 * 2 ** 20;

export type Database = { server: TestServer; bytes: number };

/** About so many bytes, never less than one scale of pgbench. */
export async function openDatabase(
  folder: string,
  wantedBytes: number,
  settings: Record<string, string> = {},
): Promise<Database> {
  const server = await startTestServer({
    major: 15,
    parent: folder,
    settings: { shared_buffers: '256MB', max_wal_size: '4GB', autovacuum: 'off', ...settings },
  });
  try {
    const scale = Math.max(1, Math.round(wantedBytes / BYTES_PER_SCALE));
    await pgbench(server, ['-i', '-q', '-s', `${scale}`]);
    const [row] = await server.sql(
      'checkpoint',
      'select sum(pg_database_size(oid)) from pg_database',
    );
    return { server, bytes: Number(row?.sum) };
  } catch (error) {
    await server.remove();
    throw error;
  }
}

export async function pgbench(server: TestServer, words: readonly string[]): Promise<void> {
  await measure([path.join(server.binaries, 'pgbench'), ...words], connectionOf(server));
}

/** What libpq's own programs read from the environment, so that no password stands in a command line. */
export const connectionOf = (server: TestServer): Record<string, string> => ({
  PGHOST: '127.0.0.1',
  PGPORT: `${server.port}`,
  PGUSER: 'postgres',
  PGPASSWORD: server.password,
  PGDATABASE: 'postgres',
});
