/** The shop's Postgres: one cluster in a folder, on loopback, run by a user that isn't root. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { findPostgres } from '../../../src/base/index.ts';
import { type OsUser, runAs, serverUser } from '../../../src/sources/postgres/recover/os-user.ts';
import type { ProcessPlan } from './processes.ts';

export const MAJOR = 18;

/** Postgres refuses to run as root: on a bare machine the user it runs as may have to be made. */
function makeUserWhereMissing(): void {
  if (process.getuid?.() !== 0) return;
  try {
    execFileSync('getent', ['passwd', 'postgres']);
  } catch {
    execFileSync('useradd', ['--system', '--no-create-home', '--shell', '/bin/false', 'postgres']);
  }
}

export type Database = { binaries: string; user: OsUser; directory: string; port: number };

export const urlOf = (port: number, role: string, password: string) =>
  `postgresql://${role}:${password}@127.0.0.1:${port}/shop?sslmode=disable`;

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  wal_level: 'replica',
  max_slot_wal_keep_size: '4GB',
  shared_buffers: '64MB',
  log_line_prefix: '%m [%p] ',
};

/** Makes the cluster, with checksums; every byte of it belongs to the server's user. */
export async function initDatabase(
  folder: string,
  port: number,
  password: string,
): Promise<Database> {
  makeUserWhereMissing();
  const user = await serverUser(undefined, folder);
  const binaries = await findPostgres(MAJOR, runAs(user), folder);
  if (binaries === undefined) throw new Error(`Postgres ${MAJOR} is not installed`);
  const home = path.join(folder, 'postgres');
  const directory = path.join(home, 'data');
  await fs.mkdir(home, { mode: 0o700 });
  await fs.chown(home, user.uid, user.gid);
  const passwordFile = path.join(home, `password-${randomBytes(4).toString('hex')}`);
  await fs.writeFile(passwordFile, password, { mode: 0o600 });
  await fs.chown(passwordFile, user.uid, user.gid);
  const words = ['-D', directory, '-U', 'postgres', '-A', 'scram-sha-256', '--data-checksums'];
  execFileSync(
    path.join(binaries, 'initdb'),
    [...[...words, '--encoding=UTF8', '--locale=C', `--pwfile=${passwordFile}`]],
    { ...runAs(user), cwd: '/', stdio: 'ignore' },
  );
  await fs.rm(passwordFile);
  const lines = Object.entries({ ...SETTINGS, port: String(port) }).map(
    ([name, value]) => `${name} = '${value}'\n`,
  );
  await fs.appendFile(path.join(directory, 'postgresql.conf'), lines.join(''));
  return { binaries, user, directory, port };
}

export async function canConnect(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => {});
  await client.connect();
  await client.end();
  return true;
}

export function databaseProcess(database: Database, probeUrl: string): ProcessPlan {
  return {
    name: 'postgres',
    command: [path.join(database.binaries, 'postgres'), '-D', database.directory],
    cwd: '/',
    env: { LC_ALL: 'C' },
    stopSignal: 'SIGINT',
    isReady: () => canConnect(probeUrl),
    ...(database.user.isCurrent
      ? {}
      : { user: { uid: database.user.uid, gid: database.user.gid } }),
  };
}

/** Runs statements one after another on one connection. */
export async function runSql(
  url: string,
  ...statements: string[]
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) rows = (await client.query(statement)).rows ?? [];
    return rows;
  } finally {
    await client.end();
  }
}
