/** Real Postgres servers for tests and the demo: temporary, on loopback, ended by process id. */
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { findPostgres, freePort, randomBytes, sleepMs, systemClock } from '#base';
import { connectSql, parseConnectionUrl, type SqlConnection } from './connection/index.ts';
import { type OsUser, runAs, serverUser } from './recover/os-user.ts';

const execute = promisify(execFile);
const START_TIMEOUT_MS = 60_000;

export type TestServerOptions = {
  major: 15 | 18;
  /** Lines of postgresql.conf: names and unquoted values. */
  settings?: Record<string, string>;
  /** Lines put before the default ones of pg_hba.conf. */
  hostEntries?: string[];
  initdbArguments?: string[];
  /** Keep the configuration in a folder `config` beside the data directory, as Debian does in /etc. */
  configOutside?: boolean;
  /** Folder to make it in; default: the system's temporary one. The server's user must be able to reach it. */
  parent?: string;
};

export type TestServer = {
  readonly major: number;
  readonly port: number;
  /** Holds everything of the server; free for more (tablespaces), owned by the server's user. */
  readonly folder: string;
  readonly dataDirectory: string;
  readonly binaries: string;
  readonly user: OsUser;
  readonly password: string;
  /** Superuser `postgres` by default. */
  url(role?: string, password?: string, database?: string): string;
  /** Runs statements as superuser, each by itself; answers the rows of the last. */
  sql(...statements: string[]): Promise<Record<string, unknown>[]>;
  connect(): Promise<SqlConnection>;
  log(): Promise<string>;
  /** Returns when it answers. */
  start(): Promise<void>;
  /** Returns at once. */
  begin(): Promise<void>;
  /** `immediate` is a crash. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
  /** Stops it and removes its folder; may be called twice. */
  remove(): Promise<void>;
};

/** Initialises and starts a server, with replication allowed for every role that has the right to it. */
export async function startTestServer(options: TestServerOptions): Promise<TestServer> {
  const folder = await fs.mkdtemp(path.join(options.parent ?? os.tmpdir(), 'holdfast-pg-'));
  const user = await serverUser(undefined, folder);
  const binaries = await findPostgres(options.major, runAs(user), os.tmpdir());
  if (binaries === undefined) throw new Error(`no binaries of Postgres ${options.major}`);
  await fs.chown(folder, user.uid, user.gid);
  await fs.chmod(folder, 0o755);
  const password = randomBytes(9).toString('hex');
  const server = serverIn({ folder, user, binaries, password, port: await freePort(), options });
  try {
    await initialise(server, options);
    await server.start();
  } catch (error) {
    await server.remove();
    throw error;
  }
  return server;
}

async function initialise(server: TestServer, options: TestServerOptions): Promise<void> {
  const passwordFile = path.join(server.folder, 'password');
  await fs.writeFile(passwordFile, server.password, { mode: 0o600 });
  await fs.chown(passwordFile, server.user.uid, server.user.gid);
  await execute(
    path.join(server.binaries, 'initdb'),
    ['-D', server.dataDirectory, '-U', 'postgres', '-A', 'scram-sha-256', '-k', '--no-sync']
      .concat(['--encoding=UTF8', '--locale=C', `--pwfile=${passwordFile}`])
      .concat(options.initdbArguments ?? []),
    { ...runAs(server.user), cwd: '/' },
  );
  await fs.rm(passwordFile);
  const settings = {
    port: String(server.port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: 'off',
    shared_buffers: '32MB',
    max_slot_wal_keep_size: '1GB',
    ...options.settings,
  };
  const lines = Object.entries(settings).map(
    ([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`,
  );
  await fs.appendFile(path.join(server.dataDirectory, 'postgresql.conf'), lines.join(''));
  const hostFile = path.join(server.dataDirectory, 'pg_hba.conf');
  const entries = [...(options.hostEntries ?? []), await fs.readFile(hostFile, 'utf8')];
  await fs.writeFile(hostFile, entries.join('\n'));
  if (options.configOutside) await moveConfig(server);
}

async function moveConfig({ folder, dataDirectory, user }: TestServer): Promise<void> {
  const config = path.join(folder, 'config');
  await fs.mkdir(config);
  await fs.chown(config, user.uid, user.gid);
  for (const name of ['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf']) {
    await fs.rename(path.join(dataDirectory, name), path.join(config, name));
  }
  const lines = [
    `data_directory = '${dataDirectory}'`,
    `hba_file = '${config}/pg_hba.conf'`,
    `ident_file = '${config}/pg_ident.conf'`,
    '',
  ];
  await fs.appendFile(path.join(config, 'postgresql.conf'), lines.join('\n'));
}

type ServerParts = {
  folder: string;
  user: OsUser;
  binaries: string;
  password: string;
  port: number;
  options: TestServerOptions;
};

function serverIn(parts: ServerParts): TestServer {
  const { folder, user, binaries, port } = parts;
  const dataDirectory = path.join(folder, 'data');
  const logFile = path.join(folder, 'server.log');
  const url = (role = 'postgres', password = parts.password, database = 'postgres') =>
    `postgresql://${role}:${password}@127.0.0.1:${port}/${database}?sslmode=disable`;
  const connect = () => connectSql(parseConnectionUrl(url()));
  const stop = async (mode: 'fast' | 'immediate' = 'fast') => {
    const pid = await serverPid(dataDirectory);
    if (pid === undefined) return;
    process.kill(pid, mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    await until(async () => !isAlive(pid), 'the test server to end');
  };
  return {
    major: parts.options.major,
    port,
    folder,
    dataDirectory,
    binaries,
    user,
    password: parts.password,
    url,
    connect,
    stop,
    async sql(...statements) {
      const connection = await connect();
      try {
        let rows: Record<string, unknown>[] = [];
        for (const statement of statements) rows = await connection.query(statement);
        return rows;
      } finally {
        await connection.close();
      }
    },
    log: () => fs.readFile(logFile, 'utf8'),
    begin: () => spawnServer(parts, dataDirectory, logFile),
    async start() {
      await spawnServer(parts, dataDirectory, logFile);
      await until(async () => {
        if ((await serverPid(dataDirectory)) === undefined) return false;
        return connect().then(
          (connection) => connection.close().then(() => true),
          () => false,
        );
      }, `the test server to start: ${logFile}`);
    },
    async remove() {
      await stop('immediate');
      await fs.rm(folder, { recursive: true, force: true });
    },
  };
}

async function spawnServer(parts: ServerParts, data: string, logFile: string): Promise<void> {
  const log = await fs.open(logFile, 'a', 0o644);
  try {
    const outside = path.join(parts.folder, 'config', 'postgresql.conf');
    const config = await fs.access(outside).then(
      () => ['-c', `config_file=${outside}`],
      () => [],
    );
    const child = spawn(path.join(parts.binaries, 'postgres'), ['-D', data, ...config], {
      ...runAs(parts.user),
      cwd: '/',
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
  } finally {
    await log.close();
  }
}

async function serverPid(dataDirectory: string): Promise<number | undefined> {
  const text = await fs
    .readFile(path.join(dataDirectory, 'postmaster.pid'), 'utf8')
    .catch(() => '');
  const pid = Number.parseInt(text, 10);
  return Number.isNaN(pid) || !isAlive(pid) ? undefined : pid;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // ESRCH: it has ended.
    return false;
  }
}

/** Asks until it is so; fails after a minute. */
export async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + START_TIMEOUT_MS;
  while (!(await condition())) {
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`waited in vain for ${what}`);
    await sleepMs(25);
  }
}
