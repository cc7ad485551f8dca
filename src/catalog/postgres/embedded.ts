/**
 * The catalog's own Postgres as a child process: made once, started, tied to this process's life. Killed with its
 * parent at any instant it recovers by itself at the next start.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import {
  messageOf,
  randomBytes,
  Secret,
  sleepMs,
  systemClock,
  systemCode,
  writeFileDurably,
} from '#base';
import { errors } from '../errors.ts';
import { type Engine, othersMayTraverse, provideEngine } from './engine.ts';
import { childEnvironment, initialise, ROLE } from './initialise.ts';
import { type OsUser, userForPostgres } from './os-user.ts';
import { storedOrFreePort } from './port.ts';

export type EmbeddedPostgres = {
  url: Secret;
  port: number;
  /** Fast shutdown; resolves when the process is gone. May be called twice. */
  stop(): Promise<void>;
  /** Resolves when Postgres ended without being asked. */
  readonly ended: Promise<void>;
};

const DATABASE = 'holdfast';
const READY_WITHIN_MS = 60_000;
const STOPS_WITHIN_MS = 30_000;

/**
 * `folder` is made where absent: `data-<major>/`, `password` (0600), `port`, `postgres.log`. Only one process may hold
 * it at a time; what an earlier one left running in it is stopped first.
 */
export async function startEmbeddedPostgres(folder: string): Promise<EmbeddedPostgres> {
  const user = await userForPostgres();
  await prepareFolder(folder, user);
  const engine = await provideEngine(path.join(path.dirname(folder), 'engine'), user);
  const data = path.join(folder, `data-${engine.major}`);
  await stopLeftover(data);
  const password = await passwordOf(folder);
  await initialise(engine, data, folder, user);
  for (let attempt = 1; ; attempt += 1) {
    const port = await storedOrFreePort(path.join(folder, 'port'), attempt > 1);
    try {
      return await start(engine, data, folder, user, port, password);
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

async function prepareFolder(folder: string, user: OsUser | undefined): Promise<void> {
  await fs.mkdir(folder, { recursive: true, mode: 0o700 });
  if (!user) return;
  await fs.chown(folder, user.uid, user.gid);
  if (!(await othersMayTraverse(path.dirname(folder)))) {
    throw errors.folderUnreachable([path.dirname(folder), user.name]);
  }
}

async function passwordOf(folder: string): Promise<Secret> {
  const file = path.join(folder, 'password');
  try {
    return new Secret((await fs.readFile(file, 'utf8')).trim());
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  const made = randomBytes(24).toString('base64url');
  await writeFileDurably(file, `${made}\n`, { mode: 0o600 });
  return new Secret(made);
}

// A shell between: it outlives a killed parent long enough to stop Postgres when its standard input closes.
const TIED = [
  'exec 3<&0',
  '"$@" </dev/null 3<&- & server=$!',
  'trap "" INT TERM HUP',
  '(read -r _ <&3; kill -INT $server) & watcher=$!',
  'wait $server; code=$?',
  'kill -KILL $watcher 2>/dev/null',
  'exit $code',
].join('\n');

async function start(
  engine: Engine,
  data: string,
  folder: string,
  user: OsUser | undefined,
  port: number,
  password: Secret,
): Promise<EmbeddedPostgres> {
  const log = await fs.open(path.join(folder, 'postgres.log'), 'a', 0o600);
  const child = spawn('sh', ['-c', TIED, 'sh', ...postgresCommand(engine, data, port)], {
    cwd: folder,
    env: childEnvironment(),
    stdio: ['pipe', log.fd, log.fd],
    // A group of its own: a Ctrl-C at the terminal reaches Holdfast alone, which stops Postgres last.
    detached: true,
    ...(user ? { uid: user.uid, gid: user.gid } : {}),
  });
  child.on('error', () => {
    // Shown by `untilReady`: the process never gets an exit code.
  });
  await log.close();
  const ended = new Promise<void>((resolve) => {
    child.on('close', () => resolve());
    child.on('error', () => resolve());
  });
  const url = `postgresql://${ROLE}:${password.reveal()}@127.0.0.1:${port}/${DATABASE}`;
  const stop = async () => {
    child.stdin?.end();
    const timer = setTimeout(() => cutShort(child), STOPS_WITHIN_MS);
    await ended;
    clearTimeout(timer);
  };
  try {
    await untilReady(url, child, folder);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: new Secret(url), port, stop, ended };
}

/** As after a crash: what was committed is recovered at the next start. */
function cutShort({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGQUIT');
  } catch {
    // It has just ended.
  }
}

function postgresCommand(engine: Engine, data: string, port: number): string[] {
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '60',
    shared_buffers: '32MB',
    wal_level: 'minimal',
    max_wal_senders: '0',
    max_wal_size: '256MB',
    log_min_messages: 'warning',
    timezone: 'UTC',
    jit: 'off',
    autovacuum_naptime: '5min',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return [path.join(engine.bin, 'postgres'), '-D', data, ...flags];
}

async function untilReady(url: string, child: ChildProcess, folder: string): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + READY_WITHIN_MS;
  for (;;) {
    if (child.exitCode !== null || child.pid === undefined) {
      throw errors.startFailed([await lastLogLine(folder)], { where: folder });
    }
    try {
      await makeDatabase(url);
      return;
    } catch (error) {
      if (systemClock.monotonicMs() > deadlineMs) {
        throw errors.startFailed([messageOf(error)], { cause: error, where: folder });
      }
    }
    await sleepMs(25);
  }
}

async function makeDatabase(url: string): Promise<void> {
  const maintenance = new URL(url);
  maintenance.pathname = '/postgres';
  const client = new pg.Client({
    connectionString: maintenance.toString(),
    connectionTimeoutMillis: 5000,
  });
  client.on('error', () => {
    // The awaited call rejects with it.
  });
  await client.connect();
  try {
    const found = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (found.rowCount === 0) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
}

async function lastLogLine(folder: string): Promise<string> {
  const text = await fs.readFile(path.join(folder, 'postgres.log'), 'utf8').catch(() => '');
  const fatal = text
    .split('\n')
    .filter((line) => /FATAL|PANIC|error/.test(line))
    .at(-1);
  return fatal ?? 'it ended without a word';
}

/** A postmaster whose parent was killed stops by itself; one that doesn't is asked to. */
async function stopLeftover(data: string): Promise<void> {
  const pid = await postmasterPid(data);
  if (pid === undefined) return;
  const startedMs = systemClock.monotonicMs();
  let asked = false;
  while (await isPostmasterOf(pid, data)) {
    const waitedMs = systemClock.monotonicMs() - startedMs;
    if (waitedMs > 30_000) throw errors.startFailed([`an earlier one (pid ${pid}) doesn't stop`]);
    if (!asked && waitedMs > 1_000) {
      process.kill(pid, 'SIGINT');
      asked = true;
    }
    await sleepMs(50);
  }
}

async function postmasterPid(data: string): Promise<number | undefined> {
  const text = await fs.readFile(path.join(data, 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number(text.split('\n')[0]);
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

/** The pid may have gone to another program since: its command line must name this folder. */
async function isPostmasterOf(pid: number, data: string): Promise<boolean> {
  if (process.platform !== 'linux') {
    try {
      process.kill(pid, 0);
      return (await postmasterPid(data)) === pid;
    } catch {
      return false;
    }
  }
  const command = await fs.readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return command.split('\0').includes(data);
}
