/** Postgres at work on a lazy mount: all that writes, with the server and what serves the mount killed in the middle. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, Secret } from '#base';
import { openRepository, openStorage } from '#repository';
import { startTestServer, type TestServer, until } from '../../src/sources/postgres/test-server.ts';
import { expectCode, startHoldfast } from './command-line.ts';
import { askDatabase } from './site/ask-database.ts';

const checkout = path.resolve(import.meta.dirname, '../..');
const FIXTURE = path.join(checkout, 'src/recovery/mount/lazy/mount.fixture.ts');
const PASSWORD = 'lazy';
const CLIENTS = 2;

describe.runIf(process.getuid?.() === 0)('Postgres on a lazy mount', { timeout: 240_000 }, () => {
  let scratch: string;
  let source: TestServer;
  let tree: string;
  let directory: string;
  let port: number;
  let mounting: ChildProcess | undefined;
  let postmaster: ChildProcess | undefined;

  beforeAll(async () => {
    scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-on-mount-'));
    fs.chmodSync(scratch, 0o755);
    source = await startTestServer({ major: 15, parent: scratch });
    run('pgbench', ['-i', '-q', '-s', '2'], source.port);
    await source.sql('create extension amcheck');
    await source.stop();
    tree = await store(source.dataDirectory);
    directory = path.join(scratch, 'place', 'mount', source.dataDirectory);
    port = await freePort();
  }, 120_000);

  afterAll(async () => {
    await endServer('SIGQUIT');
    await endMount('SIGTERM');
    await source.remove();
    fs.rmSync(scratch, { recursive: true, force: true });
  });

  async function store(folder: string): Promise<string> {
    const repository = path.join(scratch, 'repository');
    const env = { HOLDFAST_REPOSITORY: repository, HOLDFAST_PASSWORD: PASSWORD };
    for (const words of [['init'], ['backup', folder]]) {
      const { ended: done } = startHoldfast(['repo', ...words], { env });
      expectCode(await done, 0);
    }
    const storage = await openStorage(repository);
    const opened = await openRepository({ storage, password: new Secret(PASSWORD) });
    const [snapshot] = await opened.snapshots.list();
    await opened.close();
    return snapshot?.tree ?? '';
  }

  async function mount(writing: 'through' | 'behind'): Promise<void> {
    const places = [path.join(scratch, 'repository'), tree, path.join(scratch, 'place')];
    const words = [FIXTURE, ...places, writing];
    const child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    mounting = child;
    for await (const line of readline.createInterface({ input: child.stdout })) {
      if (line !== 'mounted') continue;
      // The server's user must get through.
      await fs.promises.chmod(path.join(scratch, 'place', 'mount'), 0o755);
      return;
    }
    throw new Error('the mount ended before it was there');
  }

  async function endMount(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await ended(mounting, () =>
      signal === 'SIGTERM' ? mounting?.stdin?.end() : mounting?.kill(signal),
    );
    mounting = undefined;
    const mounts = () => fs.readFileSync('/proc/self/mounts', 'utf8').includes(scratch);
    await until(async () => !mounts(), 'the mount point to go');
  }

  async function startServer(): Promise<void> {
    const settings = [
      ...[`port=${port}`, 'fsync=on', 'max_wal_size=64MB', 'checkpoint_timeout=30s'],
      ...['allow_in_place_tablespaces=on', 'unix_socket_directories='],
    ];
    const words = ['-D', directory, ...settings.flatMap((setting) => ['-c', setting])];
    const { uid, gid } = source.user;
    const log = fs.openSync(path.join(scratch, 'server.log'), 'a');
    postmaster = spawn(path.join(source.binaries, 'postgres'), words, {
      ...(source.user.isCurrent ? {} : { uid, gid }),
      cwd: '/',
      stdio: ['ignore', log, log],
    });
    fs.closeSync(log);
    await until(async () => {
      if (postmaster?.exitCode !== null) {
        throw new Error(fs.readFileSync(path.join(scratch, 'server.log'), 'utf8').slice(-1000));
      }
      return await sql('select 1').then(
        () => true,
        () => false,
      );
    }, 'the server to answer');
  }

  async function endServer(signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL'): Promise<void> {
    await ended(postmaster, () => postmaster?.kill(signal));
    postmaster = undefined;
    // Those that it started end a moment later, and keep a new one from starting.
    await until(async () => !worksIn(directory), 'all of the server to end');
  }

  async function sql(...statements: string[]): Promise<Record<string, unknown>[]> {
    return await askDatabase(source.url().replace(/:\d+\//, `:${port}/`), ...statements);
  }

  function run(program: string, words: readonly string[], at = port): string {
    const { status, stdout, stderr } = spawnSync(path.join(source.binaries, program), words, {
      env: environmentAt(at),
      encoding: 'utf8',
    });
    expect(`${stdout}${stderr} ended with ${status}`).toMatch(/ended with 0$/);
    return stdout;
  }

  const environmentAt = (at: number) => ({
    ...process.env,
    ...{ PGHOST: '127.0.0.1', PGPORT: `${at}`, PGUSER: 'postgres', PGDATABASE: 'postgres' },
    PGPASSWORD: source.password,
  });

  /** What pgbench adds to one place it adds to all: sums that differ have lost a part of a transaction. */
  async function committed(): Promise<number> {
    const [row] = await sql(`select (select sum(abalance) from pgbench_accounts) as accounts,
      (select sum(tbalance) from pgbench_tellers) as tellers,
      (select sum(bbalance) from pgbench_branches) as branches,
      (select coalesce(sum(delta), 0) from pgbench_history) as history,
      (select count(*) from pgbench_history) as rows`);
    const { accounts, tellers, branches, history, rows } = row as Record<string, string>;
    expect([tellers, branches, history]).toEqual([accounts, accounts, accounts]);
    return Number(rows);
  }

  /** Kills in the middle of a load, after some of it was acknowledged. Resolves to how much was at the least. */
  async function killInTheMiddle(kill: () => Promise<void>): Promise<number> {
    const before = await committed();
    const words = ['-n', '-c', `${CLIENTS}`, '-T', '60'];
    const load = spawn(path.join(source.binaries, 'pgbench'), words, {
      env: environmentAt(port),
      stdio: 'ignore',
    });
    const count = async () => Number((await sql('select count(*) from pgbench_history'))[0]?.count);
    let seen = before;
    await until(async () => {
      seen = await count();
      return seen > before + 50;
    }, 'some of the load');
    await kill();
    await ended(load, () => {});
    return seen;
  }

  function expectWhole(): void {
    run('pg_amcheck', ['--all', '--heapallindexed', '--install-missing']);
  }

  test('works, and loses nothing that was committed', async () => {
    await mount('behind');
    await startServer();
    run('pgbench', ['-n', '-c', `${CLIENTS}`, '-t', '100']);
    expect(await committed()).toBe(CLIENTS * 100);
    await sql(
      'vacuum full pgbench_accounts',
      'create index on pgbench_accounts (abalance, bid)',
      'cluster pgbench_accounts using pgbench_accounts_pkey',
      "create tablespace elsewhere location ''",
      'alter table pgbench_tellers set tablespace elsewhere',
      'create table wide as select g, repeat(md5(g::text), 300) as text from generate_series(1, 2000) g',
      'delete from wide where g % 3 = 0',
      'vacuum (truncate) wide',
    );
    expectWhole();

    const beforeServerDied = await killInTheMiddle(() => endServer('SIGKILL'));
    await startServer();
    expect(await committed()).toBeGreaterThanOrEqual(beforeServerDied);

    const beforeMountDied = await killInTheMiddle(async () => {
      await endMount('SIGKILL');
      await endServer('SIGKILL');
    });
    await mount('through');
    await startServer();
    expect(await committed()).toBeGreaterThanOrEqual(beforeMountDied);
    expectWhole();
    await endServer('SIGINT');
    run('pg_checksums', ['--check', '-D', directory]);
  });
});

function worksIn(directory: string): boolean {
  return fs.readdirSync('/proc').some((name) => {
    try {
      return /^\d+$/.test(name) && fs.readlinkSync(`/proc/${name}/cwd`) === directory;
    } catch {
      // It has ended, or is no process of ours.
      return false;
    }
  });
}

/** `end` is called where it still runs. */
async function ended(child: ChildProcess | undefined, end: () => void): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  end();
  await exit;
}
