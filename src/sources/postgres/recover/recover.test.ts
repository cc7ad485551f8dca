import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type {
  JournalAccess,
  RecoveredStore,
  RecoverRequest,
  ResolvedTarget,
} from '../../source.ts';
import { checkpointTimeline } from '../advance/control-file.ts';
import { connectSql, parseConnectionUrl } from '../connection/index.ts';
import { parseLsn, segmentName } from '../lsn.ts';
import { startTestServer, type TestServer, until } from '../test-server.ts';
import { type CapturedFolder, captureTo, contextIn, storeAt } from '../testing.ts';
import { checkpointCopy, settleCopy, startCopy, stopCopy } from './life.ts';
import { runningPostmaster, stopPostmaster } from './postmaster.ts';
import { recoverPostgres } from './recover.ts';

const SEGMENT_BYTES = 2 ** 24;

/** The WAL that data directories still have, as a journal would hold it. */
function journalOf(
  directories: Record<number, string>,
  lines: Awaited<ReturnType<JournalAccess['lines']>> = [],
): JournalAccess {
  return {
    contiguousEnd: async () => 0n,
    lines: async () => lines,
    async *read(line, from, to) {
      for (let at = from; at < to; ) {
        const folder = path.join(directories[line] as string, 'pg_wal');
        const inSegment = Number(at % BigInt(SEGMENT_BYTES));
        const length = Math.min(SEGMENT_BYTES - inSegment, Number(to - at), 1_000_000);
        const handle = await fs.open(path.join(folder, segmentName(line, at, SEGMENT_BYTES)));
        const bytes = Buffer.alloc(length);
        await handle.read(bytes, 0, length, inSegment);
        await handle.close();
        yield bytes;
        at += BigInt(length);
      }
    },
  };
}

function exactly(line: number, offset: bigint): ResolvedTarget {
  return {
    position: { line, offset },
    isEnd: false,
    leftBehindCommits: 0,
    leftBehindIsMore: false,
  };
}

/** What is left of it: links in the server's folder, and the folder that they lead to. */
async function givenWal(directory: string, scratch: string): Promise<string[]> {
  const wal = await fs.readdir(path.join(directory, 'pg_wal'), { withFileTypes: true });
  const links = wal.filter((entry) => entry.isSymbolicLink()).map(({ name }) => name);
  return [...links, ...(await fs.readdir(scratch)).filter((name) => name === 'wal')];
}

/** Resolves when none of its processes is left, either. */
async function killServer(pid: number, directory: string): Promise<void> {
  process.kill(pid, 'SIGKILL');
  await until(async () => {
    const all = (await fs.readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const places = await Promise.all(
      all.map((each) => fs.readlink(`/proc/${each}/cwd`).catch(() => '')),
    );
    return !places.includes(directory);
  }, 'the server to end');
}

async function namesBelow(folder: string): Promise<string[]> {
  return (await fs.readdir(folder, { recursive: true })).sort();
}

/** What doesn't depend on the version is shown on one of them. */
function onOneMajor(major: number, name: string, work: () => Promise<void>): void {
  if (major === 15) test(name, work);
}

describe.each([15, 18] as const)('recovery of Postgres %i', (major) => {
  let server: TestServer;
  let base: CapturedFolder;
  let directory: string;
  let scratch: string;
  let position: bigint;
  let copy: RecoveredStore;

  const own = async (name: string) => {
    const folder = path.join(server.folder, name);
    await fs.mkdir(folder, { mode: 0o700 });
    await fs.chown(folder, server.user.uid, server.user.gid);
    return folder;
  };
  const currentLsn = async () => {
    const [row] = await server.sql('select pg_current_wal_insert_lsn()::text as lsn');
    return parseLsn(String(row?.lsn)) as bigint;
  };
  const ask = async (url: string, text: string) => {
    const connection = await connectSql(parseConnectionUrl(url));
    try {
      return await connection.query(text);
    } finally {
      await connection.close();
    }
  };

  /** A copy of its own of the restored tree, and what recovering it is asked with. */
  const another = async (name: string): Promise<RecoverRequest> => {
    const target = path.join(server.folder, name);
    await fs.cp(path.join(server.folder, 'restored'), target, {
      recursive: true,
      preserveTimestamps: true,
    });
    return {
      capture: base.outcome,
      directory: target,
      scratch: await own(`${name}-scratch`),
      mode: 'beside',
    };
  };

  beforeAll(async () => {
    server = await startTestServer({
      major,
      settings: {
        wal_level: 'logical',
        wal_keep_size: '1GB',
        logging_collector: 'on',
        archive_mode: 'on',
        work_mem: '7MB',
      },
    });
    const logs = await own('logs');
    const archive = await own('archive');
    const [fast, late] = [await own('fast'), await own('late')];
    await server.sql(
      `alter system set log_directory = '${logs}'`,
      `alter system set archive_command = 'cp %p ${archive}/%f'`,
      'select pg_reload_conf()',
      "create role shop login replication password 'a b/c'",
      `create tablespace fast location '${fast}'`,
      'create table orders (id int primary key) tablespace fast',
      'grant select on orders to shop',
      'insert into orders select generate_series(1, 1000)',
      'create publication all_orders for table orders',
      "select pg_create_logical_replication_slot('to_stats', 'pgoutput')",
      'create database stats',
    );
    const stats = await connectSql(
      parseConnectionUrl(server.url('postgres', server.password, 'stats')),
    );
    await stats.query('create table orders (id int primary key)');
    await stats.query(
      `create subscription to_stats connection 'host=127.0.0.1 port=${server.port} user=postgres password=${server.password} dbname=postgres'
         publication all_orders with (create_slot = false, slot_name = 'to_stats')`,
    );
    await stats.close();
    directory = path.join(server.folder, 'copy');
    scratch = await own('scratch');
    base = await captureTo(
      directory,
      server,
      storeAt(server, { url: server.url('shop', 'a b%2Fc') }),
    );
    await fs.cp(directory, path.join(server.folder, 'restored'), { recursive: true });
    await server.sql(
      'insert into orders select generate_series(1001, 2000)',
      `create tablespace late location '${late}'`,
      'create table items (id int) tablespace late',
      'insert into items values (1)',
      'select pg_switch_wal()',
      'insert into orders select generate_series(2001, 50000)',
    );
    position = await currentLsn();
    await server.sql('insert into orders values (0)', 'delete from items');
  });
  afterAll(async () => {
    await stopCopy(directory);
    await server.remove();
  });

  test('ends exactly at the position, and takes writes', async () => {
    const outside = ['fast', 'late', 'archive'].map((name) => path.join(server.folder, name));
    await server.sql('checkpoint');
    const before = await Promise.all(outside.map(namesBelow));
    copy = await recoverPostgres(
      {
        capture: base.outcome,
        directory,
        scratch,
        journal: journalOf({ 1: server.dataDirectory }),
        resolved: exactly(1, position),
        mode: 'beside',
        own: { url: server.url('shop', 'a b%2Fc') },
      },
      contextIn(scratch),
    );
    expect(await ask(copy.url, 'select count(*)::int as n, min(id) from orders')).toEqual([
      { n: 49_000 + 1000, min: 1 },
    ]);
    const socket = String(copy.facts.socketUrl).replace('//shop@', '//postgres@');
    expect(await ask(socket, 'select * from items')).toEqual([{ id: 1 }]);
    await ask(socket, 'insert into orders values (-1)');
    await ask(socket, 'checkpoint');
    expect(await Promise.all(outside.map(namesBelow))).toEqual(before);
  });

  test('leaves the subscription and the settings of production alone', async () => {
    const socket = String(copy.facts.socketUrl).replace('//shop@', '//postgres@');
    const [workers] = await ask(
      socket,
      "select count(*)::int as n from pg_stat_activity where backend_type like 'logical replication%'",
    );
    expect(workers).toEqual({ n: 0 });
    const [settings] = await ask(
      socket,
      "select current_setting('archive_mode') as archive, current_setting('work_mem') as memory, current_setting('fsync') as fsync",
    );
    expect(settings).toEqual({ archive: 'off', memory: '7MB', fsync: 'on' });
    const logs = await fs.readdir(path.join(server.folder, 'logs'));
    expect(logs.length).toBeLessThanOrEqual(1);
  });

  test('needs nothing of the WAL that it was given once it wrote out what it replayed', async () => {
    await checkpointCopy(directory, contextIn(scratch));
    expect(await givenWal(directory, scratch)).toEqual([]);
    await checkpointCopy(directory, contextIn(scratch));
    await stopPostmaster(directory, 'immediate');
    const request = { directory, scratch, port: undefined, survived: false };
    const { facts } = await startCopy(request, contextIn(scratch));
    const socket = String(facts.socketUrl).replace('//shop@', '//postgres@');
    expect(await ask(socket, 'select min(id) from orders')).toEqual([{ min: -1 }]);
  });

  test('comes back from a kill before any of what it replayed was written out', async () => {
    const request = await another('killed');
    const { pid, facts } = await recoverPostgres(
      {
        ...request,
        journal: journalOf({ 1: server.dataDirectory }),
        resolved: exactly(1, position),
      },
      contextIn(request.scratch),
    );
    const socket = String(facts.socketUrl).replace('//shop@', '//postgres@');
    await ask(socket, 'insert into orders values (-5)');
    expect(await checkpointTimeline(request.directory)).toBe(1);
    await killServer(pid as number, request.directory);
    expect(await givenWal(request.directory, request.scratch)).not.toEqual([]);
    // Whoever fed it is not asked again.
    await fs.rm(path.join(request.scratch, 'wal', 'restore-wal'));
    const start = { ...request, port: undefined, survived: false };
    await startCopy(start, contextIn(request.scratch));
    expect(await ask(socket, 'select count(*)::int as n, min(id) from orders')).toEqual([
      { n: 50_001, min: -5 },
    ]);
    expect(await givenWal(request.directory, request.scratch)).toEqual([]);
    await stopCopy(request.directory);
  });

  onOneMajor(major, 'writes out what it replayed also where nobody can ask for it', async () => {
    const request = await another('unasked');
    const access = { user: 'not-there-yet', database: 'postgres' };
    const { facts } = base.outcome;
    await recoverPostgres(
      {
        ...request,
        capture: { ...base.outcome, facts: { ...facts, access } },
        journal: journalOf({ 1: server.dataDirectory }),
        resolved: exactly(1, position),
      },
      contextIn(request.scratch),
    );
    await checkpointCopy(request.directory, contextIn(request.scratch));
    expect(await givenWal(request.directory, request.scratch)).toEqual([]);
    expect(await checkpointTimeline(request.directory)).toBe(2);
    await stopCopy(request.directory);
  });

  test('takes along the WAL that it needs where it was killed before it becomes production', async () => {
    const request = await another('moved');
    const { pid, facts } = await recoverPostgres(
      {
        ...request,
        journal: journalOf({ 1: server.dataDirectory }),
        resolved: exactly(1, position),
      },
      contextIn(request.scratch),
    );
    const socket = String(facts.socketUrl).replace('//shop@', '//postgres@');
    await ask(socket, 'insert into orders values (-6)');
    await killServer(pid as number, request.directory);
    const settling = { ...request, home: request.directory };
    await settleCopy(settling);
    await settleCopy(settling);
    await fs.rm(path.join(request.scratch, 'wal'), { recursive: true });
    const start = { ...request, port: undefined, survived: false };
    await startCopy(start, contextIn(request.scratch));
    expect(await ask(socket, 'select count(*)::int as n, min(id) from orders')).toEqual([
      { n: 50_001, min: -6 },
    ]);
    await stopCopy(request.directory);
  });

  test('stops and starts again, and a second start finds it', async () => {
    await stopCopy(directory);
    await stopCopy(directory);
    const request = { directory, scratch, port: undefined, survived: false };
    const started = await startCopy(request, contextIn(scratch));
    const again = await startCopy(request, contextIn(scratch));
    expect(again.pid).toBe(started.pid);
    const socket = String(again.facts.socketUrl).replace('//shop@', '//postgres@');
    expect(await ask(socket, 'select min(id) from orders')).toEqual([{ min: -1 }]);
  });

  test('becomes production with its own configuration', async () => {
    await server.stop();
    const home = server.dataDirectory;
    await settleCopy({ directory, scratch, home });
    await settleCopy({ directory, scratch, home });
    await fs.rename(home, `${home}.replaced`);
    await fs.rename(directory, home);
    await settleCopy({ directory, scratch, home });
    await server.start();
    expect(await server.sql('select min(id) from orders')).toEqual([{ min: -1 }]);
    expect(await server.sql('show archive_mode')).toEqual([{ archive_mode: 'on' }]);
    expect(await server.sql('select * from items')).toEqual([{ id: 1 }]);
    const again = await captureTo(path.join(server.folder, 'again'), server, storeAt(server));
    expect(again.problems).toEqual([]);
    expect(again.outcome.start.line).toBe(2);
    const archived = path.join(server.folder, 'archive', '00000002.history');
    await until(
      async () => (await fs.readdir(path.dirname(archived))).includes('00000002.history'),
      'the history to be archived by production again',
    );
  });

  test('follows the fork of a timeline', async () => {
    const raw = await fs.readFile(path.join(server.dataDirectory, 'pg_wal', '00000002.history'));
    const lines = [{ line: 2, parent: 1, forkOffset: position, raw: raw.toString() }];
    await server.sql('insert into orders values (-2)');
    const onSecond = await currentLsn();
    const request = await another('forked');
    const forked = await recoverPostgres(
      {
        ...request,
        journal: journalOf(
          { 1: `${server.dataDirectory}.replaced`, 2: server.dataDirectory },
          lines,
        ),
        resolved: exactly(2, onSecond),
      },
      contextIn(request.scratch),
    );
    const socket = String(forked.facts.socketUrl).replace('//shop@', '//postgres@');
    expect(await ask(socket, 'select min(id) from orders')).toEqual([{ min: -2 }]);
    const [file] = await ask(socket, 'select pg_walfile_name(pg_current_wal_lsn()) as name');
    expect(String(file?.name)).toMatch(/^00000003/);
    await stopCopy(request.directory);
  });

  test('a base alone comes back as it was at its end', async () => {
    const request = await another('alone');
    const alone = await recoverPostgres(request, contextIn(request.scratch));
    const socket = String(alone.facts.socketUrl).replace('//shop@', '//postgres@');
    expect(await ask(socket, 'select max(id) from orders')).toEqual([{ max: 1000 }]);
    await stopCopy(request.directory);
  });

  onOneMajor(major, 'a journal that breaks off brings no server up', async () => {
    const request = await another('broken');
    const journal = journalOf({ 1: `${server.dataDirectory}.replaced` });
    const broken: JournalAccess = {
      ...journal,
      async *read(line, from, to) {
        yield* journal.read(line, from, from + (to - from) / 2n);
        throw new Error('the second half is missing');
      },
    };
    await expect(
      recoverPostgres(
        { ...request, journal: broken, resolved: exactly(1, position) },
        contextIn(request.scratch),
      ),
    ).rejects.toThrow('the second half is missing');
    expect(await runningPostmaster(request.directory)).toBeUndefined();
  });

  onOneMajor(major, 'damaged WAL is told, not taken for the end', async () => {
    const request = await another('damaged');
    const journal = journalOf({ 1: `${server.dataDirectory}.replaced` });
    const damaged: JournalAccess = {
      ...journal,
      async *read(line, from, to) {
        for await (const bytes of journal.read(line, from, to)) {
          bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
          yield bytes;
        }
      },
    };
    await expect(
      recoverPostgres(
        { ...request, journal: damaged, resolved: exactly(1, position) },
        contextIn(request.scratch),
      ),
    ).rejects.toMatchObject({ code: 'postgres/journal-broken' });
    expect(await runningPostmaster(request.directory)).toBeUndefined();
  });

  onOneMajor(major, 'a link that leads outside keeps it from being started', async () => {
    const request = await another('linked');
    await fs.symlink(server.dataDirectory, path.join(request.directory, 'pg_stat_tmp', 'odd'));
    await expect(recoverPostgres(request, contextIn(request.scratch))).rejects.toMatchObject({
      code: 'postgres/points-outside',
      kind: 'refused',
    });
  });

  onOneMajor(major, 'an instant before the end of the base is refused', async () => {
    const request = await another('early');
    await expect(
      recoverPostgres(
        { ...request, resolved: exactly(1, base.outcome.end.offset - 8n) },
        contextIn(request.scratch),
      ),
    ).rejects.toMatchObject({ code: 'postgres/before-base-end' });
  });
});
