/**
 * Proofs that a control plane makes by itself, with a real Postgres and a folder: each new recovery point, shown with
 * the check that it failed by, and none of it left behind when the server is killed in the middle.
 */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '#base';
import { startTestServer, type TestServer } from '../../src/sources/postgres/test-server.ts';
import { expectCode } from './command-line.ts';
import { askHoldfast, eventually, mountsIn, processesIn, runHoldfast } from './site/command.ts';

type Proof = { id: string; point?: string; verdict: string; failedBy?: string };
type Point = { id: string; stores: Record<string, unknown>; proof?: Proof };
type Points = { points: Point[]; proofs: Proof[] };
type Status = {
  stores: { name: string; windows: { toMs: number }[] }[];
  proofs: { verdict: string; failedBy?: string; findings: string[] };
};

let folder: string;
let database: TestServer;

const place = () => ({
  cwd: folder,
  env: {
    HOLDFAST_STATE: path.join(folder, 'state'),
    ORDERS_URL: database.url(),
    PROOFS_PASSWORD: 'correct horse',
  },
});
const holdfast = (...words: string[]) => runHoldfast(place(), words);
/** As `holdfast points --json` gives it, without a process for each look. */
async function points(): Promise<Points> {
  const { url } = JSON.parse(await fs.readFile(path.join(folder, 'state/server.json'), 'utf8'));
  const token = (await fs.readFile(path.join(folder, 'state/token'), 'utf8')).trim();
  const headers = { authorization: `Bearer ${token}` };
  const [listed, proofs] = await Promise.all(
    ['points', 'proofs'].map(async (what) => {
      const answer = await fetch(`${url}/v1/${what}`, { headers });
      expect(answer.status).toBe(200);
      return await answer.json();
    }),
  );
  return { points: listed as Points['points'], proofs: proofs as Proof[] };
}

const proofsFolder = () => path.join(folder, 'state', 'proofs');
const leftovers = async () => ({
  copies: await fs.readdir(proofsFolder()).catch(() => []),
  mounts: await mountsIn(folder),
  processes: await processesIn(proofsFolder()),
});

/** The newest point, once it was looked at. */
const newestLookedAt = () =>
  eventually('the newest point to be looked at', async () => (await points()).points[0]?.proof);

/** No proof of a point is to come any more: the first, that hold one store alone, are never proven by themselves. */
const allLookedAt = () =>
  eventually('all whole points to be looked at', async () => {
    const whole = (await points()).points.filter(({ stores }) => Object.keys(stores).length === 2);
    return whole.every(({ proof }) => proof !== undefined) ? true : undefined;
  });

/** What was committed before that is in the repository. */
const reached = (atMs: number) =>
  eventually('the journal to be there', async () => {
    const { stores } = await askHoldfast<Status>(place(), ['status']);
    const window = stores.find(({ name }) => name === 'orders')?.windows.at(-1);
    return window && window.toMs >= atMs ? true : undefined;
  });

const nothingLeft = () =>
  eventually('nothing to be left', async () => {
    const { copies, mounts, processes } = await leftovers();
    return copies.length + mounts.length + processes.length === 0 ? true : undefined;
  });

async function killServer(): Promise<void> {
  const text = await fs.readFile(path.join(folder, 'state/server.json'), 'utf8');
  const { pid } = JSON.parse(text) as { pid: number };
  process.kill(pid, 'SIGKILL');
}

/** A copy that is being made: one of its stores is mounted already. */
const copyUnderWay = () =>
  eventually(
    'a copy to be mounted',
    async () => {
      const [mounted] = await mountsIn(proofsFolder());
      return mounted;
    },
    5,
  );

describe.runIf(process.getuid?.() === 0)('proofs by a server', { timeout: 240_000 }, () => {
  beforeAll(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-proofs-'));
    await fs.chmod(folder, 0o755);
    database = await startTestServer({
      major: 15,
      settings: { wal_level: 'replica', max_slot_wal_keep_size: '1GB', autovacuum: 'off' },
    });
    await database.sql('create table orders (id int primary key, uploaded text)');
    await database.sql('insert into orders select generate_series(1, 1000)');
    await fs.mkdir(path.join(folder, 'uploads'));
    await fs.writeFile(path.join(folder, 'uploads/one.txt'), 'one');
    await fs.writeFile(
      path.join(folder, 'holdfast.yaml'),
      `apiVersion: holdfast/v1
name: shop
repository: {url: "${folder}/repository", password: "\${PROOFS_PASSWORD}"}
stores:
  orders: {type: postgres, url: "\${ORDERS_URL}", protect: continuous}
  uploads: {type: files, path: "${folder}/uploads", protect: {every: 7d}}
checks:
  positive: {sql: orders, query: "select 1 from orders where id < 0", expect: empty}
proofs: {cpu: 100%, quiet: 0}
`,
    );
    const { code, errors } = await holdfast('up', '--detach', '--wait');
    expect(code, errors).toBe(0);
  }, 120_000);
  afterAll(async () => {
    await holdfast('down', '--drop-slots');
    await database?.remove();
    await fs.rm(folder, { recursive: true, force: true });
  });

  test('are made of each new recovery point, by themselves', async () => {
    expect(await newestLookedAt()).toMatchObject({ verdict: 'pass' });
    expect((await holdfast('points')).output).toMatch(/✓ .*orders, uploads +\d\d:\d\d/);
    const { code, output } = await holdfast('status');
    expect(output).toMatch(/^proofs {6}proven \d\d:\d\d/m);
    expect(code, output).toBe(0);
    await nothingLeft();
  });

  test('are made again after a kill in the middle, and nothing of the first is left', async () => {
    const known = (await points()).proofs.map(({ id }) => id);
    const asking = holdfast('prove', 'latest');
    await copyUnderWay();
    await killServer();
    expectCode(await asking, 1);
    expectCode(await holdfast('up', '--detach'), 0);
    // Of no point: it was asked for.
    await eventually('the proof to be made', async () =>
      (await points()).proofs.find(({ id, point }) => point === undefined && !known.includes(id)),
    );
    await nothingLeft();
  });

  test('are loud where a check fails, and name it', async () => {
    await database.sql('insert into orders values (-1)');
    await fs.writeFile(path.join(folder, 'uploads/two.txt'), 'two');
    expectCode(await holdfast('protect'), 0);
    expect(await newestLookedAt()).toMatchObject({ verdict: 'fail', failedBy: 'positive' });
    expect((await holdfast('points')).output).toMatch(/✗ .*failed: positive/);
    const { code, output } = await holdfast('status');
    expect(code).toBe(6);
    expect(output).toContain('failed: positive: 1 row');
    const { proofs } = await askHoldfast<Status>(place(), ['status']);
    expect(proofs).toMatchObject({ verdict: 'fail', failedBy: 'positive' });
  });

  test('are made after a change of the declaration', async () => {
    await database.sql('delete from orders where id < 0');
    const deletedAtMs = systemClock.nowMs();
    await database.sql('insert into orders values (1001)');
    await reached(deletedAtMs);
    await allLookedAt();
    const file = path.join(folder, 'holdfast.yaml');
    const declared = await fs.readFile(file, 'utf8');
    await fs.writeFile(file, `${declared}# changed\n`);
    const before = await points();
    expectCode(await holdfast('apply'), 0);
    const made = await eventually('a proof of what is declared now', async () => {
      const { proofs } = await points();
      return proofs.length > before.proofs.length ? proofs : undefined;
    });
    expect(made[0]).toMatchObject({ verdict: 'pass' });
  });
});
