/**
 * The control plane as people run it: by the command line, with real processes, a real Postgres and a folder; killed,
 * started twice, emptied and rebuilt.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sleepMs, systemClock } from '#base';
import { connect, findControlPlane } from '../../src/cli/control-plane/client.ts';
import { parseLsn } from '../../src/sources/postgres/lsn.ts';
import { startTestServer, type TestServer } from '../../src/sources/postgres/test-server.ts';
import { expectCode } from './command-line.ts';

const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts');
let folder: string;
let database: TestServer;
let variables: Record<string, string>;

type Ended = { code: number | null; output: string; errors: string };

function holdfast(args: string[], more: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: folder,
    env: { ...process.env, ...variables, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (bytes) => {
    output += bytes;
  });
  child.stderr.on('data', (bytes) => {
    errors += bytes;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output, errors })));
}

/** Succeeds, and gives what it printed as JSON. */
async function json<T>(args: string[], more?: Record<string, string>): Promise<T> {
  const { output, errors } = await holdfast([...args, '--json'], more);
  expect(errors).toBe('');
  return JSON.parse(output) as T;
}

/** What the API takes where nothing else is said. */
const ALL = { inPlace: false, full: false, accept: [] };

type Status = {
  points: number;
  missed: number;
  maintenance?: { check: { verdict: string; atMs?: number }; prune: { atMs?: number } };
  stores: {
    name: string;
    verdict: string;
    captures: number;
    windows: { fromMs: number; toMs: number }[];
    gaps: unknown[];
    lastCapture?: { id: string };
  }[];
};

async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadlineMs = systemClock.monotonicMs() + 60_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`never: ${what}`);
    await sleepMs(100);
  }
}

const allMet = () =>
  eventually('all objectives met', async () => {
    const { code, output } = await holdfast(['status', '--json']);
    return code === 0 ? (JSON.parse(output) as Status) : undefined;
  });

const state = (...names: string[]) => path.join(folder, 'state', ...names);

async function serverPid(): Promise<number> {
  return (JSON.parse(await fs.readFile(state('server.json'), 'utf8')) as { pid: number }).pid;
}

/** Processes that name our state folder: the server, its Postgres and what ties them. */
async function processesLeft(): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await fs.readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const command = await fs.readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const environment = await fs.readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    const isOurs = command.includes(state()) || environment.includes(`HOLDFAST_STATE=${state()}\0`);
    if (isOurs && Number(pid) !== process.pid) found.push(command.replaceAll('\0', ' '));
  }
  return found;
}

const isPoint = (file: string) => path.relative(folder, file).split(path.sep).includes('points');

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await fs.readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast control plane-'));
  await fs.chmod(folder, 0o755);
  database = await startTestServer({
    major: 15,
    // Its own housekeeping would be something that happens.
    settings: { wal_level: 'replica', max_slot_wal_keep_size: '1GB', autovacuum: 'off' },
  });
  await database.sql('create table orders (id int primary key)');
  await fs.mkdir(path.join(folder, 'uploads'));
  await fs.writeFile(path.join(folder, 'uploads/one.txt'), 'one');
  variables = {
    HOLDFAST_STATE: path.join(folder, 'state'),
    ORDERS_URL: database.url(),
    REPOSITORY_PASSWORD: 'correct horse',
  };
  await fs.writeFile(
    path.join(folder, 'holdfast.yaml'),
    `apiVersion: holdfast/v1
name: shop
stage: production
repository: {url: "${folder}/repository", password: "\${REPOSITORY_PASSWORD}"}
objectives: {rpo: 10s}
stores:
  orders: {type: postgres, url: "\${ORDERS_URL}", protect: continuous, keep: 30d}
  uploads: {type: files, path: "${folder}/uploads", protect: continuous, keep: 30d}
  cache: {type: files, path: /tmp, protect: none, because: rebuilt at login}
proofs: {quiet: 1h}
`,
  );
});

afterAll(async () => {
  await holdfast(['down', '--drop-slots']);
  await database?.remove();
  await fs.rm(folder, { recursive: true, force: true });
});

describe('a control plane', { timeout: 240_000 }, () => {
  test('protects what is declared, and says so', async () => {
    const up = await holdfast(['up', '--detach', '--wait']);
    expect(up.errors).toBe('');
    expect(up.output).toContain('shop/production · 2 stores under protection');
    const status = await allMet();
    const [orders, uploads, cache] = status.stores;
    expect(orders).toMatchObject({ name: 'orders', verdict: 'met', gaps: [] });
    expect(orders?.windows).toHaveLength(1);
    expect(uploads).toMatchObject({ name: 'uploads', verdict: 'met' });
    expect(cache).toMatchObject({ name: 'cache', verdict: 'excluded' });
    const shown = await holdfast(['status']);
    expect(shown.output).toContain('orders: any second since');
    for (const line of shown.output.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  test('keeps its token, state and catalog from others', async () => {
    for (const name of ['token', 'server.json', 'server.log']) {
      expect((await fs.stat(state(name))).mode & 0o077, name).toBe(0);
    }
    expect((await fs.stat(state('catalog'))).mode & 0o077).toBe(0);
    const { url } = JSON.parse(await fs.readFile(state('server.json'), 'utf8'));
    expect((await fetch(`${url}/v1/status`)).status).toBe(401);
  });

  test('captures what changes without being told', async () => {
    const before = await json<Status>(['status']);
    await fs.writeFile(path.join(folder, 'uploads/two.txt'), 'two');
    await eventually('a capture of the change', async () => {
      const status = await json<Status>(['status']);
      const captures = (of: Status) => of.stores.find(({ name }) => name === 'uploads')?.captures;
      return (captures(status) ?? 0) > (captures(before) ?? 0) ? status : undefined;
    });
  });

  test('names instants', async () => {
    const marked = await holdfast(['mark', 'deploy', '--sha', '4f2c1e', '--author', 'kim']);
    expectCode(marked, 0);
    expect((await holdfast(['points'])).output).toContain('deploy 4f2c1e (kim)');
    // Where the database stood is noted with it, and counts more than any clock.
    const [row] = await database.sql('select pg_current_wal_insert_lsn()::text as lsn');
    const later = await json<{ positions: Record<string, { line: number; offset: string }> }>([
      'mark',
      'release',
    ]);
    const offset = parseLsn(String(row?.lsn)) as bigint;
    expect(Object.keys(later.positions)).toEqual(['orders']);
    expect(later.positions.orders?.line).toBe(1);
    expect(BigInt(later.positions.orders?.offset ?? 0)).toBeGreaterThanOrEqual(offset);
    await database.sql('create temporary table flushed (i int)');
    const planned = await json<{ stores: { store: string; position?: { offset: string } }[] }>([
      'recover',
      '--to',
      'before release',
      '--store',
      'orders',
      '--dry-run',
    ]);
    const plannedOffset = Number(planned.stores[0]?.position?.offset);
    // The header of a page may lie between the last record and the next one.
    expect(Number(later.positions.orders?.offset) - plannedOffset).toBeOneOf([0, 24, 40]);
  });

  test('captures one store when it is asked to, and only one that there is', async () => {
    expect(await json(['protect', 'uploads'])).toMatchObject([{ store: 'uploads', state: 'done' }]);
    const readBy = { way: expect.stringMatching(/^(files|stream)$/) };
    expect(await json(['protect', 'orders'])).toMatchObject([{ state: 'done', readBy }]);
    const unknown = await holdfast(['protect', 'nothing']);
    expectCode(unknown, 5);
    expect(unknown.errors).toContain('Protected are: orders, uploads.');
  });

  test('goes on with what a dry run showed, though more was captured since', async () => {
    const address = await findControlPlane(variables);
    const { ask, client } = connect(address as NonNullable<typeof address>);
    const plan = async (planned?: string) => {
      const to = { kind: 'latest' } as const;
      const body = { to, stores: ['uploads'], dryRun: true, ...(planned && { planned }) };
      const { id, stores } = await ask(
        client.POST('/v1/recoveries', { body: { ...ALL, ...body } }),
      );
      return { id, captures: stores.map(({ capture }) => capture) };
    };
    const shown = await plan();
    await fs.writeFile(path.join(folder, 'uploads/since.txt'), 'since');
    expect(await json(['protect', 'uploads'])).toMatchObject([{ state: 'done' }]);
    expect((await plan(shown.id)).captures).toEqual(shown.captures);
    expect((await plan()).captures).not.toEqual(shown.captures);
    expect((await plan('plan-of-nobody')).captures).not.toEqual(shown.captures);
  });

  test('says who runs when another one is started on its folder', async () => {
    const pid = await serverPid();
    const second = await holdfast(['serve']);
    expectCode(second, 4);
    expect(second.errors).toContain(`pid ${pid}`);
    const up = await holdfast(['up']);
    expectCode(up, 0);
    expect(up.output).toContain(`A control plane runs already (pid ${pid})`);
    expect(await serverPid()).toBe(pid);
  });

  test('writes nothing into the repository while nothing happens', async () => {
    await eventually('the first maintenance', async () => {
      const { maintenance } = await allMet();
      return maintenance?.check.atMs && maintenance.prune.atMs ? maintenance : undefined;
    });
    // The recovery point that the last captures share may be noted up to a minute after them.
    const looked = async () =>
      (await filesBelow(path.join(folder, 'repository'))).filter((file) => !isPoint(file));
    // What was started before is still on its way for a moment, and the database writes now and then by itself.
    await eventually('a repository that stays as it is', async () => {
      const before = await looked();
      await holdfast(['status']);
      await holdfast(['points']);
      await sleepMs(3_000);
      return String(await looked()) === String(before) ? true : undefined;
    });
  });

  test('goes on after kill -9 with nothing lost, and captures nothing twice', async () => {
    const before = await allMet();
    process.kill(await serverPid(), 'SIGKILL');
    await database.sql('insert into orders select generate_series(1, 1000)');
    await fs.writeFile(path.join(folder, 'uploads/while-down.txt'), 'kept');
    const up = await holdfast(['up', '--detach', '--wait']);
    expect(up.errors).toBe('');
    const after = await eventually('the journal to come to the newest base', async () => {
      const now = await allMet();
      return now.stores[0]?.windows.length === 1 ? now : undefined;
    });
    const [orders, uploads] = after.stores;
    expect(after.points).toBeGreaterThanOrEqual(before.points);
    expect(orders).toMatchObject({ captures: before.stores[0]?.captures, gaps: [] });
    expect(orders?.windows[0]?.fromMs).toBe(before.stores[0]?.windows[0]?.fromMs);
    expect(uploads?.verdict).toBe('met');
    expect((await holdfast(['points'])).output).toContain('deploy 4f2c1e (kim)');
  });

  test('takes its slots back when it goes for good, and leaves no process', async () => {
    const slots = () => database.sql('select slot_name from pg_replication_slots');
    expect(await slots()).toHaveLength(1);
    const recover = () => json<{ id: string }>(['recover', '--to', 'latest', '--store', 'uploads']);
    const [copy, promoted] = [await recover(), await recover()];
    expect(await holdfast(['recovery', 'promote', promoted.id, '--yes'])).toMatchObject({
      code: 0,
    });
    const down = await holdfast(['down', '--purge', '--recoveries', '--yes']);
    expect(down).toMatchObject({ code: 0, errors: '' });
    expect(await slots()).toEqual([]);
    expect(down.output).toContain(`${promoted.id}  shop/production  promoted`);
    expect(down.output).toContain('holdfast recovery remove ID');
    expect(down.output).not.toContain(copy.id);
    expect(await fs.readdir(state())).toEqual(['recoveries']);
    expect(await fs.readdir(state('recoveries'))).toEqual([promoted.id]);
    await eventually('no process left', async () =>
      (await processesLeft()).length === 0 ? true : undefined,
    );
    expectCode(await holdfast(['status']), 5);
  });

  test('comes back from repository and password alone', async () => {
    await fs.rename(path.join(folder, 'holdfast.yaml'), path.join(folder, 'lost.yaml'));
    const rebuilding = await holdfast(
      ['rebuild', '--json', '--repo', path.join(folder, 'repository')],
      { HOLDFAST_PASSWORD: 'correct horse' },
    );
    await fs.rename(path.join(folder, 'lost.yaml'), path.join(folder, 'holdfast.yaml'));
    expect(rebuilding.code, rebuilding.errors + rebuilding.output).toBe(0);
    const rebuilt = JSON.parse(rebuilding.output) as { environment: string; points: number };
    expect(rebuilt.environment).toBe('shop');
    expect(rebuilt.points).toBeGreaterThan(2);
    expect((await holdfast(['points'])).output).toContain('deploy 4f2c1e (kim)');
    await allMet();
  });

  test('refuses a repository that another control plane owns', async () => {
    const other = { HOLDFAST_STATE: path.join(folder, 'other-state') };
    const up = await holdfast(['up', '--detach'], other);
    expectCode(up, 4);
    expect(up.errors).toContain('owned by another control plane');
    expect(up.errors).toContain('--take-over');
    expectCode(await holdfast(['status'], other), 5);
  });

  test('tells a wrong declaration by its line before anything is started', async () => {
    await fs.writeFile(path.join(folder, 'wrong.yaml'), 'apiVersion: holdfast/v1\nnmae: shop\n');
    const other = { HOLDFAST_STATE: path.join(folder, 'never-made') };
    const up = await holdfast(['up', '--detach', '--file', 'wrong.yaml'], other);
    expectCode(up, 2);
    expect(up.errors).toContain('wrong.yaml:2:1');
    await expect(fs.access(other.HOLDFAST_STATE)).rejects.toThrow();
  });
});
