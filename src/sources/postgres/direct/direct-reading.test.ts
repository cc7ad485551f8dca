import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { quietLogger } from '#base';
import { captureBase } from '../base/capture.ts';
import { serverFacts } from '../base/server-facts.ts';
import {
  connectReplication,
  connectSql,
  parseConnectionUrl,
  type SqlConnection,
} from '../connection/index.ts';
import { stopCopy } from '../recover/life.ts';
import { runAs } from '../recover/os-user.ts';
import { recoverPostgres } from '../recover/recover.ts';
import { startTestServer, type TestServer, until } from '../test-server.ts';
import { captureTo, contextIn, storeAt } from '../testing.ts';
import { dataDirectoryHere } from './server-here.ts';

const execute = promisify(execFile);

/** Differs between any two bases of one server. */
const OF_THE_BASE = /^(backup_label|backup_manifest|global\/pg_control|pg_wal\/.*)$/;
const WRITERS = 3;

describe.each([15, 18] as const)('a base read from the files of Postgres %i', (major) => {
  let server: TestServer;
  const under = (name: string) => path.join(server.folder, name);
  const [on15, on18] = major === 15 ? [test, elsewhere] : [elsewhere, test];

  beforeAll(async () => {
    server = await startTestServer({ major, settings: { autovacuum: 'off' } });
    const space = under('space');
    await fs.mkdir(space);
    await fs.chown(space, server.user.uid, server.user.gid);
    await server.sql(
      `create tablespace fast location '${space}'`,
      'create table orders as select g as id, md5(g::text) as note from generate_series(1, 100000) g',
      'create table items tablespace fast as select g as id from generate_series(1, 1000) g',
      'create unlogged table seen (id int primary key)',
      'insert into seen select generate_series(1, 1000)',
      'checkpoint',
    );
    await fs.writeFile(path.join(server.dataDirectory, 'base', 'pgsql_tmp9.1'), 'x');
    await fs.writeFile(path.join(server.dataDirectory, 'backup_label.old'), 'x');
  }, 60_000);
  afterAll(() => server.remove());

  test('is the one that the server sends', async () => {
    // Both as it is at rest: what is worked off here is read there in its place.
    const sent = await captureTo(under('sent'), server, storeAt(server));
    const read = await captureTo(under('read'), server, storeAt(server), { takesLiveFiles: true });
    expect(sent.outcome.facts.readBy).toMatchObject({ way: 'stream' });
    expect(read.outcome.facts.readBy).toEqual({ way: 'files' });
    expect(read.outcome.facts.tablespaces).toEqual(sent.outcome.facts.tablespaces);
    expect(read.problems).toEqual([]);
    const same = ({ paths }: typeof sent) => paths.filter((one) => !OF_THE_BASE.test(one)).sort();
    expect(same(read)).toEqual(same(sent));
    for (const one of same(sent)) {
      const a = sent.entries.get(one);
      const b = read.entries.get(one);
      expect([b?.kind, b?.permissions, b?.uid, b?.gid]).toEqual([
        a?.kind,
        a?.permissions,
        a?.uid,
        a?.gid,
      ]);
      if (a?.kind !== 'file') continue;
      expect([one, b?.sizeBytes]).toEqual([one, a.sizeBytes]);
      // Each base begins with a checkpoint, which writes what isn't data.
      if (one.startsWith('base/')) expect([one, b?.mtimeNs]).toEqual([one, a.mtimeNs]);
      const [before, now] = await Promise.all([
        fs.readFile(path.join(under('sent'), one)),
        fs.readFile(path.join(under('read'), one)),
      ]);
      expect(now.equals(before), one).toBe(true);
    }
    const folders = ({ paths }: typeof sent) =>
      paths.filter((one) => one.startsWith('pg_wal') && !/[0-9A-F]{24}/.test(one)).sort();
    expect(folders(read)).toEqual(folders(sent));
    if (major === 15) {
      // Postgres' own judge of a backup.
      const { stdout } = await execute(
        path.join(server.binaries, 'pg_verifybackup'),
        ['--exit-on-error', under('read')],
        { ...runAs(server.user), cwd: '/' },
      );
      expect(stdout).toContain('backup successfully verified');
    }
  }, 60_000);

  // On 15 the tests of whole environments do so.
  on18(
    'recovers to one consistent state while tables are written, made, cut off and dropped',
    async () => {
      await server.sql(
        'create table accounts as select g as id, 0 as amount from generate_series(1, 20000) g',
        'create index on accounts (id)',
        'checkpoint',
      );
      const stop = new AbortController();
      const writers = Array.from({ length: WRITERS }, async (_, number) => {
        const sql = await server.connect();
        try {
          await writeUntil(sql, number, stop.signal);
        } finally {
          await sql.close();
        }
      });
      let entries = 0;
      const isUnderWay = until(async () => {
        const [row] = await server.sql('select sum(abs(amount))::int as moved from accounts');
        return Number(row?.moved) > 0;
      }, 'the load to begin');
      await isUnderWay;
      const { outcome, problems } = await captureTo(under('loaded'), server, storeAt(server), {
        takesLiveFiles: true,
        // Some of what was listed isn't there any more when its turn comes.
        onEntry: async () => {
          entries += 1;
          if (entries % 200 === 0) await server.sql('checkpoint');
        },
      });
      stop.abort();
      await Promise.all(writers);
      expect(problems).toEqual([]);
      expect(outcome.facts.readBy).toEqual({ way: 'files' });
      expect(await sumIn(under('loaded'), outcome, server)).toEqual({ sum: 0, rows: 20000 });
    },
    120_000,
  );

  on15(
    'names a page that is damaged on disk',
    async () => {
      const [row] = await server.sql("select pg_relation_filepath('orders') as file");
      const file = String(row?.file);
      const handle = await fs.open(path.join(server.dataDirectory, file), 'r+');
      const flipped = Buffer.alloc(1);
      await handle.read(flipped, 0, 1, 3 * 8192 + 5000);
      await handle.write(Buffer.from([(flipped[0] as number) ^ 1]), 0, 1, 3 * 8192 + 5000);
      try {
        const options = { takesLiveFiles: true };
        const { problems } = await captureTo(under('damaged'), server, storeAt(server), options);
        expect(problems).toEqual([
          expect.stringContaining(`${file}: page checksum wrong in block 3:`),
        ]);
      } finally {
        await handle.write(flipped, 0, 1, 3 * 8192 + 5000);
        await handle.close();
      }
    },
    60_000,
  );

  on15(
    'leaves no backup open in the server when it is broken off',
    async () => {
      const stop = new AbortController();
      const broken = captureTo(under('broken'), server, storeAt(server), {
        takesLiveFiles: true,
        signal: stop.signal,
        onEntry: (one) => {
          if (one.startsWith('global/')) stop.abort(new Error('that is enough'));
        },
      });
      await expect(broken).rejects.toThrow('that is enough');
      await until(
        async () => (await server.log()).includes('aborting backup due to backend exiting'),
        'the server to end the backup',
      );
      await until(
        async () => (await server.sql('select slot_name from pg_replication_slots')).length === 0,
        'the server to drop the slot',
      );
    },
    60_000,
  );

  on15(
    'is left to the server where this role may not, and says why',
    async () => {
      await server.sql("create role sender login replication password 'x'");
      const store = storeAt(server, { url: server.url('sender', 'x') });
      const readBy = async (own: typeof store) => {
        const log = { ...quietLogger, info: vi.fn() };
        const context = { ...contextIn(server.folder), log };
        await (await captureBase(own, context, { takesLiveFiles: true })).close();
        return log.info.mock.calls[0]?.[0];
      };
      const because = 'this role may not call pg_backup_start and pg_backup_stop (15 and later)';
      expect(await readBy(store)).toEqual({ way: 'stream', because });
      await server.sql(
        'grant execute on function pg_backup_start(text, boolean), pg_backup_stop(boolean) to sender',
      );
      const blind = 'this role may not see data_directory';
      expect(await readBy(store)).toEqual({ way: 'stream', because: blind });
      await server.sql('grant pg_read_all_settings to sender');
      expect(await readBy(store)).toEqual({ way: 'files' });
      const slowly = storeAt(server, { url: server.url('sender', 'x'), maxRate: '1MiB' });
      const rate = 'the server itself keeps to maxRate';
      expect(await readBy(slowly)).toEqual({ way: 'stream', because: rate });
    },
    60_000,
  );

  on15('takes no folder for that of the server which only looks like it', async () => {
    const connection = await connectReplication(parseConnectionUrl(server.url()));
    try {
      const { serverVersion, serverPid } = connection;
      const facts = await serverFacts(connection);
      const slot = 'holdfast_base_here';
      const asked = { server: facts, serverVersion, serverPid, slot };
      // A copy or a standby of it has everything but what was made in the server just now.
      expect(await dataDirectoryHere(asked)).toEqual({
        because: expect.stringContaining('ENOENT'),
      });
      await connection.query(`CREATE_REPLICATION_SLOT ${slot} TEMPORARY PHYSICAL`);
      expect(await dataDirectoryHere(asked)).toMatchObject({ directory: server.dataDirectory });
      expect(await dataDirectoryHere({ ...asked, serverPid: process.pid })).toEqual({
        because: expect.stringContaining('processes'),
      });
      const other = { ...facts, systemIdentifier: '1' };
      expect(await dataDirectoryHere({ ...asked, server: other })).toEqual({
        because: expect.stringContaining('another server'),
      });
    } finally {
      await connection.close();
    }
  });
});

/** For what is tested with another version. */
function elsewhere(_name: string, _run: () => Promise<void>, _timeoutMs?: number): void {}

/** Moves amounts about, whose sum stays 0; and lets files grow, shrink, come and go. */
async function writeUntil(sql: SqlConnection, number: number, stop: AbortSignal): Promise<void> {
  for (let round = 0; !stop.aborted; round += 1) {
    const [from, to] = [(round * 37 + number) % 20_000, (round * 101 + number * 7) % 20_000];
    await sql.query(
      `update accounts set amount = amount + case id when ${from + 1} then -1 else 1 end
       where id in (${from + 1}, ${to + 1}) and ${from} <> ${to}`,
    );
    if (round % 20 !== 0) continue;
    const own = `passing_${number}`;
    await sql.query(`create table ${own} as select repeat('x', 100) from generate_series(1, 5000)`);
    await sql.query(`truncate ${own}`);
    await sql.query(`drop table ${own}`);
  }
}

async function sumIn(
  directory: string,
  capture: Parameters<typeof recoverPostgres>[0]['capture'],
  server: TestServer,
): Promise<Record<string, unknown> | undefined> {
  const scratch = `${directory}-scratch`;
  await fs.mkdir(scratch, { mode: 0o700 });
  await fs.chown(scratch, server.user.uid, server.user.gid);
  const own = { url: server.url() };
  const request = { capture, directory, scratch, mode: 'beside', own } as const;
  const copy = await recoverPostgres(request, contextIn(server.folder));
  try {
    const connection = await connectSql(parseConnectionUrl(copy.url));
    await connection.query('set enable_indexscan = off');
    const [row] = await connection.query(
      'select sum(amount)::int as sum, count(*)::int as rows from accounts',
    );
    await connection.close();
    return row;
  } finally {
    await stopCopy(directory);
  }
}
