/** A Postgres and a folder under a running control plane: what is recovered is exact, and what breaks mends itself. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { randomBytes, sleepMs } from '#base';
import { startTestServer, type TestServer } from '../../src/sources/postgres/test-server.ts';
import { expectCode } from './command-line.ts';
import { addressOf } from './site/address.ts';
import { askDatabase } from './site/ask-database.ts';
import { askHoldfast, type Ended, eventually, type Place, runHoldfast } from './site/command.ts';

type StoreStatus = {
  name: string;
  verdict: string;
  says?: string;
  captures: number;
  windows: { fromMs: number; toMs: number }[];
  gaps: { fromMs: number; toMs?: number; because: string }[];
  journal?: { state: string; shipped?: { line: number } };
  lastCapture?: { madeOf?: string };
};
type Status = { stores: StoreStatus[] };
type Recovered = { id: string; status: string; stores: { store: string; urlFile?: string }[] };
type Refused = { error: { code: string; message: string } };

const SLOT = 'holdfast_site_production_numbers';

let folder: string;
let server: TestServer;
let place: Place;

const holdfast = (...words: string[]): Promise<Ended> => runHoldfast(place, words);

const declaration = (rpo: string) => `apiVersion: holdfast/v1
name: site
stage: production
repository: {url: "${folder}/repository", password: "\${REPOSITORY_PASSWORD}"}
objectives: {rpo: 5s}
consistency: {leader: numbers, skew: 1h}
stores:
  numbers:
    type: postgres
    url: "\${NUMBERS_URL}"
    protect: continuous
    rpo: ${rpo}
    control: {stop: "true", start: "true"}
  uploads: {type: files, path: "${folder}/uploads", protect: continuous}
`;

async function numbers(): Promise<StoreStatus> {
  const { stores } = await askHoldfast<Status>(place, ['status']);
  const found = stores.find(({ name }) => name === 'numbers');
  if (!found) throw new Error('numbers is not protected');
  return found;
}

const untilNumbers = (what: string, is: (store: StoreStatus) => boolean): Promise<StoreStatus> =>
  eventually(what, async () => {
    const store = await numbers();
    return is(store) ? store : undefined;
  });

const streaming = () =>
  untilNumbers(
    'numbers streamed and met',
    ({ verdict, journal }) => verdict === 'met' && journal?.state === 'streaming',
  );

const slots = () =>
  server.sql('select slot_name, wal_status from pg_replication_slots order by slot_name');

async function nowMs(): Promise<number> {
  const [row] = await server.sql('select extract(epoch from clock_timestamp()) * 1000 as at');
  return Number(row?.at);
}

/** The numbers that a copy as of then holds; the copy is taken away again. */
async function numbersAt(when: string): Promise<number[]> {
  const words = ['recover', '--to', when, '--store', 'numbers'];
  const recovered = await askHoldfast<Recovered & Partial<Refused>>(place, words);
  expect(recovered.error).toBe(undefined);
  const [store] = recovered.stores;
  const rows = await askDatabase(await addressOf(store), 'select n from numbers order by n');
  const removed = await holdfast('recovery', 'remove', recovered.id, '--yes');
  expectCode(removed, 0);
  return rows.map(({ n }) => n as number);
}

const instant = (atMs: number) => new Date(atMs).toISOString();

/** Writes this many WAL segments of 1 MiB and lets the server forget those it may. */
async function advance(segments: number): Promise<void> {
  for (let at = 0; at < segments; at += 1) {
    await server.sql(
      "select pg_logical_emit_message(false, 'x', repeat('x', 300000))",
      'select pg_switch_wal()',
    );
  }
  await server.sql('checkpoint');
}

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-protected-'));
  await fs.chmod(folder, 0o755);
  await fs.mkdir(path.join(folder, 'uploads'));
  server = await startTestServer({
    major: 18,
    initdbArguments: ['--wal-segsize=1'],
    settings: {
      track_commit_timestamp: 'on',
      min_wal_size: '2MB',
      max_wal_size: '4MB',
      max_slot_wal_keep_size: '12MB',
      wal_keep_size: '0',
    },
  });
  await server.sql('create table numbers (n int primary key)');
  place = {
    cwd: folder,
    env: {
      HOLDFAST_STATE: path.join(folder, 'state'),
      NUMBERS_URL: server.url(),
      REPOSITORY_PASSWORD: 'correct horse',
    },
  };
  await fs.writeFile(path.join(folder, 'holdfast.yaml'), declaration('5s'));
  const up = await holdfast('up', '--detach', '--wait');
  expect(up.errors).toBe('');
}, 120_000);

afterAll(async () => {
  await holdfast('down', '--purge', '--yes');
  await server?.remove();
  await fs.rm(folder, { recursive: true, force: true });
});

/** Commits one number after the other, `from`, `from + 2`, …, each by itself, with pauses of varied length. */
async function commitNumbers(from: number, count: number): Promise<void> {
  const connection = await server.connect();
  for (let at = 0; at < count; at += 1) {
    await connection.query(`insert into numbers values (${from + 2 * at})`);
    await sleepMs(5 + ((at * 7) % 30));
  }
  await connection.close();
}

describe('a protected Postgres', { timeout: 240_000 }, () => {
  test('comes back exactly as it was at any instant', async () => {
    await streaming();
    await Promise.all([commitNumbers(1, 40), commitNumbers(2, 40)]);
    const rows = await server.sql(
      'select n, extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000 as at from numbers order by 2',
    );
    const commits = rows.map(({ n, at }) => ({ n: Number(n), at: Number(at) }));
    // Between two commits that lie far enough apart for milliseconds to tell them.
    const between = commits.flatMap((commit, index) => {
      const next = commits[index + 1];
      return next && next.at - commit.at > 4 ? [Math.round((commit.at + next.at) / 2)] : [];
    });
    const seed = randomBytes(5);
    for (const byte of seed) {
      const atMs = between[byte % between.length] as number;
      const expected = commits.filter(({ at }) => at < atMs).map(({ n }) => n);
      expect(await numbersAt(instant(atMs)), `seed ${seed.toString('hex')}`).toEqual(
        expected.sort((a, b) => a - b),
      );
    }
  });

  test('goes on streaming after a crash and after a restart of the server', async () => {
    const before = await numbers();
    await server.stop('immediate');
    await untilNumbers('the cut to be seen', ({ journal }) => journal?.state !== 'streaming');
    await server.start();
    await server.sql('insert into numbers values (1000)');
    await streaming();
    await server.stop('fast');
    await server.start();
    await server.sql('insert into numbers values (1001)');
    const after = await streaming();
    expect(after).toMatchObject({ gaps: [], captures: before.captures });
    expect(after.windows).toHaveLength(1);
    expect((await numbersAt('latest')).slice(-2)).toEqual([1000, 1001]);
  });

  test('parts of it are looked up and brought back through the server', async () => {
    await server.sql('create table kept (id int primary key, note text)');
    await server.sql("insert into kept select n, 'note ' || n from generate_series(1, 20) n");
    const thenMs = Math.ceil(await nowMs());
    await sleepMs(20);
    await server.sql(
      'delete from kept where id <= 5',
      "update kept set note = 'wrong' where id = 6",
    );
    const asked = ['recover', '--to', instant(thenMs), '--table', 'kept', '--merge', '--update'];
    const refused = await holdfast(...asked);
    expectCode(refused, 4);
    expect(refused.output).toMatch(/insert 5, update 1, same 14/);
    const merged = await askHoldfast<{ undo: string }>(place, [...asked, '--yes']);
    expect(await server.sql('select count(*)::int as n from kept')).toEqual([{ n: 20 }]);
    expect((await holdfast('recovery', 'undo', merged.undo, '--yes')).output).toContain(
      '5 rows removed, 1 restored',
    );
    const differing = await holdfast(
      'diff',
      instant(thenMs),
      'now',
      '--json',
      '--store',
      'numbers',
    );
    expect(differing.output).toContain('"deleted":5');
    const found = await askHoldfast<{ heldMs: number; failedMs: number }>(place, [
      ...['when', '--sql', 'select count(*) = 20 from kept', '--from', instant(thenMs)],
    ]);
    expect(found.heldMs).toBeLessThan(found.failedMs);
    await fs.writeFile(path.join(folder, 'uploads', 'one.txt'), 'first');
    expectCode(await holdfast('protect', 'uploads'), 0);
    await fs.rm(path.join(folder, 'uploads', 'one.txt'));
    const file = ['recover', '--to', 'latest', '--store', 'uploads', '--path', 'one.txt', '--yes'];
    expect(await holdfast(...file)).toMatchObject({ code: expect.any(Number) });
    const log = await fs.readFile(path.join(folder, 'state', 'server.log'), 'utf8');
    expect(log.match(/a part of a store is looked up/g)?.length).toBeGreaterThanOrEqual(5);
    expect(await fs.readdir(path.join(folder, 'state', 'proofs')).catch(() => [])).toEqual([]);
  });

  test('takes a dropped slot back without a gap while its WAL is there', async () => {
    await server.sql(
      'select pg_terminate_backend(active_pid) from pg_replication_slots',
      `do $$ begin
         loop
           begin perform pg_drop_replication_slot('${SLOT}'); return;
           exception when object_in_use then
             perform pg_terminate_backend(active_pid) from pg_replication_slots;
           end;
         end loop;
       end $$`,
    );
    await eventually('the slot to be there again', async () =>
      (await slots()).length > 0 ? true : undefined,
    );
    await server.sql('insert into numbers values (1002)');
    expect(await streaming()).toMatchObject({ gaps: [] });
    expect((await numbersAt('latest')).at(-1)).toBe(1002);
  });

  let keptMs = 0;

  test('keeps its slot when it stops, and says what that means', async () => {
    keptMs = Math.ceil(await nowMs());
    await sleepMs(20);
    await server.sql('insert into numbers values (1003)');
    const down = await holdfast('down');
    expectCode(down, 0);
    expect(down.errors).toContain('production holds its WAL up to their limit');
    expect(down.errors).toContain('holdfast down --drop-slots');
    expect(await slots()).toMatchObject([{ slot_name: SLOT }]);
  });

  test('a lost slot is a gap that is shown, refused, and followed by a new base', async () => {
    await advance(20);
    expect(await slots()).toEqual([{ slot_name: SLOT, wal_status: 'lost' }]);
    await server.sql('insert into numbers values (2000)');
    const withinMs = await nowMs();
    const up = await holdfast('up', '--detach', '--wait');
    expect(up.errors).toBe('');
    const store = await untilNumbers(
      'a window after the gap',
      ({ verdict, gaps, windows }) => verdict === 'met' && gaps.length > 0 && windows.length === 2,
    );
    expect(store.gaps).toHaveLength(1);
    const [gap] = store.gaps;
    expect(gap?.because).toContain('no longer has the WAL');
    expect(gap?.fromMs).toBeLessThanOrEqual(withinMs);
    expect(gap?.toMs).toBeGreaterThan(withinMs);
    expect((await holdfast('status')).output).toMatch(/^ +gap .* to .*: .*WAL/m);

    const words = ['recover', '--to', instant(withinMs), '--store', 'numbers'];
    const refused = await runHoldfast(place, words);
    expectCode(refused, 5);
    expect(refused.errors).toContain(`numbers can't be brought back to ${instant(withinMs)}`);
    expect(refused.errors).toContain(`a gap from ${instant(gap?.fromMs as number)}`);

    await server.sql('insert into numbers values (2001)');
    expect((await numbersAt('latest')).slice(-2)).toEqual([2000, 2001]);
    expect((await numbersAt(instant(keptMs))).at(-1)).toBe(1002);
  });

  test('goes on over a recovery that took its place, and claims nothing of what was left', async () => {
    const aimedMs = Math.ceil(await nowMs());
    await sleepMs(20);
    await server.sql('insert into numbers values (3000)');
    const leftMs = await nowMs();
    const before = await streaming();
    const words = ['recover', '--to', instant(aimedMs), '--store', 'numbers'];
    const recovered = await askHoldfast<Recovered>(place, words);
    await server.stop('fast');
    const promoted = await holdfast('recovery', 'promote', recovered.id, '--yes');
    expect(promoted.errors).toBe('');
    await server.start();
    expect((await server.sql('select max(n)::int as n from numbers'))[0]?.n).toBe(2001);
    await server.sql('insert into numbers values (3001)');
    const based = await untilNumbers(
      'a base on the new line',
      ({ journal, captures }) => journal?.shipped?.line === 2 && captures > before.captures,
    );
    expect(based.captures).toBe(before.captures + 1);
    await sleepMs(20);
    const laterMs = Math.ceil(await nowMs());
    await sleepMs(20);
    await server.sql('insert into numbers values (3002)');
    const { windows, gaps } = await untilNumbers(
      'a window that moves on',
      (store) => store.verdict === 'met' && (store.windows.at(-1)?.toMs ?? 0) > laterMs,
    );
    // While one took the other's place, there was nothing to recover.
    expect(gaps.slice(before.gaps.length)).toEqual([
      {
        fromMs: windows.at(-2)?.toMs,
        toMs: windows.at(-1)?.fromMs,
        because: expect.stringContaining('the history forked there'),
      },
    ]);
    expect(windows.at(-1)?.fromMs).toBeGreaterThan(leftMs);
    expect(windows.at(-2)?.toMs).toBeLessThanOrEqual(leftMs);
    expect((await numbersAt(instant(laterMs))).slice(-2)).toEqual([2001, 3001]);
    expect((await numbersAt('latest')).slice(-2)).toEqual([3001, 3002]);
  });

  test('rpo: 0 is not claimed where the spool lies on the same machine', async () => {
    await fs.writeFile(path.join(folder, 'holdfast.yaml'), declaration('0'));
    expectCode(await holdfast('apply'), 0);
    const store = await untilNumbers(
      'a word on it',
      ({ says }) => says?.includes('rpo: 0') === true,
    );
    expect(store.verdict).toBe('missed');
    expectCode(await holdfast('status'), 6);
    await fs.writeFile(path.join(folder, 'holdfast.yaml'), declaration('5s'));
    expectCode(await holdfast('apply'), 0);
    await streaming();
  });

  test('new bases are made off production where they are declared so', async () => {
    const off = declaration('5s').replace(
      'protect: continuous\n',
      'protect: continuous\n    base: {from: copy, every: 1s}\n',
    );
    await server.sql("alter system set log_replication_commands = 'on'", 'select pg_reload_conf()');
    const basesSent = async () => (await server.log()).match(/command: BASE_BACKUP/g)?.length ?? 0;
    const { captures } = await numbers();
    await fs.writeFile(path.join(folder, 'holdfast.yaml'), off);
    expectCode(await holdfast('apply'), 0);
    await streaming();
    const sent = await basesSent();
    await server.sql('insert into numbers values (4000)', 'checkpoint');
    await untilNumbers('a new base', (store) => store.captures > captures);
    expect((await numbers()).lastCapture?.madeOf).toEqual(expect.any(String));
    expect((await holdfast('status')).output).toContain('captured off production');
    await eventually('its point', async () =>
      (await holdfast('points')).output.includes('numbers (off production)') ? true : undefined,
    );
    await server.sql('insert into numbers values (4001)');
    expect((await numbersAt('latest')).slice(-2)).toEqual([4000, 4001]);
    expect(await basesSent()).toBe(sent);
    await fs.writeFile(path.join(folder, 'holdfast.yaml'), declaration('5s'));
    expectCode(await holdfast('apply'), 0);
    await streaming();
  });

  test('down --purge leaves nothing in the database', async () => {
    expect(await slots()).toMatchObject([{ slot_name: SLOT }]);
    const down = await holdfast('down', '--purge', '--yes');
    expectCode(down, 0);
    // What the recovery in place replaced is kept.
    expect(down.output).toContain(`Left in ${folder}/state/recoveries:`);
    expect(down.output).toContain('What was promoted is production now');
    expect(await slots()).toEqual([]);
  });
});
