/** A standby as the source: base, journal and recovery without ever asking the primary. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '#base';
import type { CaptureOutcome } from '../source.ts';
import { captureBase } from './base/capture.ts';
import { postgresSchema } from './config.ts';
import { connectSql, parseConnectionUrl } from './connection/index.ts';
import { inspectPostgres } from './inspect/inspect.ts';
import { stopCopy } from './recover/life.ts';
import { recoverPostgres } from './recover/recover.ts';
import { startTestServer, type TestServer, until } from './test-server.ts';
import { captureTo, contextIn, storeAt } from './testing.ts';
import { currentPosition } from './wal/position.ts';
import { resolve } from './wal/resolve.ts';
import { caughtUp, type TestJournal, testJournal } from './wal/test-journal.ts';
import { promote, replayed, startStandby, TRUSTING } from './wal/test-standby.ts';

describe('a standby as the source', () => {
  let primary: TestServer;
  let standby: TestServer;
  let journal: TestJournal;
  let base: CaptureOutcome;
  let copies = 0;

  beforeAll(async () => {
    primary = await startTestServer({
      major: 15,
      hostEntries: TRUSTING,
      settings: { wal_keep_size: '256MB', autovacuum: 'off' },
    });
    await primary.sql('create table orders (id int primary key)');
    standby = await startStandby(primary);
    journal = await testJournal(standby.url());
    journal.run();
    await until(async () => journal.sink.has('streaming'), 'streaming from the standby');
  });
  afterAll(async () => {
    await journal?.close();
    await standby?.remove();
    await primary?.remove();
  });

  async function ordersAt(atMs: number): Promise<number[]> {
    copies += 1;
    const name = `copy-${copies}`;
    const directory = path.join(standby.folder, name);
    const scratch = path.join(standby.folder, `${name}-scratch`);
    await fs.cp(path.join(standby.folder, 'restored'), directory, { recursive: true });
    await fs.mkdir(scratch, { mode: 0o700 });
    const access = journal.sink.access();
    const resolved = await resolve(base, access, { kind: 'time', atMs });
    const copy = await recoverPostgres(
      { capture: base, directory, scratch, journal: access, resolved, mode: 'beside' },
      contextIn(scratch),
    );
    const sql = await connectSql(parseConnectionUrl(String(copy.facts.socketUrl)));
    try {
      const rows = await sql.query<{ id: number }>('select id from orders order by id');
      return rows.map(({ id }) => id);
    } finally {
      await sql.close();
      await stopCopy(directory);
    }
  }

  async function order(server: TestServer, id: number): Promise<number> {
    const [row] = await server.sql(
      `insert into orders values (${id})`,
      'select (extract(epoch from clock_timestamp()) * 1000)::float8 as at',
    );
    return Number(row?.at);
  }

  test('is told for what it is, with what it cannot do', async () => {
    const codesOf = async (server: TestServer, changes = {}) => {
      const store = { ...storeAt(server), ...changes };
      const { findings } = await inspectPostgres(store, contextIn(server.folder));
      return findings.map(({ severity, code }) => `${severity} ${code}`);
    };
    expect(await codesOf(primary)).not.toContain('note standby');
    expect(await codesOf(standby)).toEqual(['note copy-needs', 'note copy-memory', 'note standby']);
    const synchronous = await codesOf(standby, { rpoMs: 0 });
    expect(synchronous.filter((code) => code.startsWith('refuse'))).toEqual([
      'refuse synchronous-from-standby',
    ]);
    await primary.sql('create role bare login replication');
    await replayed(standby, await caughtUp(primary, journal.sink));
    // Its primary may have committed more by now.
    expect(await currentPosition(storeAt(standby), contextIn(standby.folder))).toBeUndefined();
    const bare = postgresSchema.parse({ url: standby.url('bare') });
    expect(await codesOf(standby, { own: bare })).toContain('warn upstream-hidden');
  });

  test('without whole pages in its WAL it is refused, by plan and by capture', async () => {
    const pageWrites = async (setting: 'on' | 'off') => {
      await primary.sql(
        `alter system set full_page_writes = ${setting}`,
        'select pg_reload_conf()',
      );
      await until(async () => {
        const [row] = await primary.sql(
          'checkpoint',
          'select full_page_writes as "on" from pg_control_checkpoint()',
        );
        return row?.on === (setting === 'on');
      }, `full_page_writes ${setting} to be in a checkpoint`);
      await replayed(standby, await caughtUp(primary, journal.sink));
      await standby.sql('checkpoint');
    };
    await pageWrites('off');
    const { findings } = await inspectPostgres(storeAt(standby), contextIn(standby.folder));
    expect(findings.map(({ code }) => code)).toContain('standby-without-page-writes');
    await expect(captureBase(storeAt(standby), contextIn(standby.folder))).rejects.toMatchObject({
      code: 'postgres/standby-without-page-writes',
      kind: 'refused',
    });
    await pageWrites('on');
  });

  test('gives a base, whose end it tells itself, and a journal up to any instant', async () => {
    await order(primary, 1);
    await replayed(standby, await caughtUp(primary, journal.sink));
    const begunMs = systemClock.nowMs();
    const target = path.join(standby.folder, 'restored');
    const captured = await captureTo(target, standby, storeAt(standby));
    base = captured.outcome;
    expect(captured.problems).toEqual([]);
    expect(base.facts).toMatchObject({ fromStandby: true });
    expect(base.clock.uncertaintyMs).toBeLessThan(1000);
    expect(base.facts.asOfMs).toBeLessThan(begunMs + 1000);
    const instants: number[] = [];
    for (const id of [2, 3, 4]) instants.push(await order(primary, id));
    await caughtUp(primary, journal.sink);
    expect(await ordersAt(instants[0] as number)).toEqual([1, 2]);
    expect(await ordersAt(instants[1] as number)).toEqual([1, 2, 3]);
  });

  test('is never taken to have what its primary has not sent it', async () => {
    const { sink } = journal;
    const [sender] = await primary.sql('select pid from pg_stat_replication');
    const pid = Number(sender?.pid);
    process.kill(pid, 'SIGSTOP');
    let missingMs: number;
    try {
      missingMs = await order(primary, 100);
      sink.heardAt.length = 0;
      await until(async () => sink.heardAt.length > 5, 'the stream to tell where it stands');
      for (const { sentAtMs, relayed } of sink.heardAt) {
        expect(sentAtMs).toBeLessThan(missingMs);
        expect(relayed?.ageMs).toBeGreaterThan(0);
      }
      expect(sink.completeThroughMs).toBeLessThan(missingMs);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await caughtUp(primary, sink);
    await until(async () => {
      const last = sink.heardAt.at(-1);
      return last !== undefined && last.sentAtMs > missingMs && last.relayed?.behindMs === 0;
    }, 'the stream to be whole again');
  });

  test('whose primary is gone falls behind, and is followed when it is promoted', async () => {
    const { sink } = journal;
    await primary.stop('immediate');
    await until(
      async () => (sink.heardAt.at(-1)?.relayed?.behindMs ?? 0) > 0,
      'the loss of the primary to be told',
    );
    const seen = await inspectPostgres(storeAt(standby), contextIn(standby.folder));
    expect(seen.findings.map(({ code }) => code)).toContain('standby-follows-nobody');
    const slowly = storeAt(standby, { maxRate: 1024 * 1024 });
    const backup = await captureBase(slowly, contextIn(standby.folder));
    const readAll = async () => {
      let isFirst = true;
      for await (const event of backup.events()) {
        if (isFirst) await promote(standby);
        isFirst = false;
        if (event.kind !== 'entry' || event.content.from !== 'stream') continue;
        for await (const _ of event.content.bytes);
      }
    };
    await expect(readAll()).rejects.toMatchObject({
      code: 'postgres/backup-refused',
      retryable: true,
    });
    await backup.close();
    const afterFive = await order(standby, 5);
    await order(standby, 6);
    await until(async () => sink.end?.line === 2, 'the second timeline');
    await caughtUp(standby, sink);
    expect(await ordersAt(afterFive)).toEqual([1, 2, 3, 4, 5, 100]);
    await until(async () => sink.heardAt.at(-1)?.relayed === undefined, 'its own word to count');
    await order(standby, 7);
    const position = await currentPosition(storeAt(standby), contextIn(standby.folder));
    expect(position?.line).toBe(2);
    await caughtUp(standby, sink);
    expect(sink.completeThroughMs).toBeGreaterThan(afterFive);
  });
});

test('a standby that takes no connections is told to be one', async () => {
  const server = await startTestServer({ major: 15, hostEntries: TRUSTING });
  try {
    await server.stop();
    const signal = path.join(server.dataDirectory, 'standby.signal');
    await fs.writeFile(signal, '');
    await fs.chown(signal, server.user.uid, server.user.gid);
    await fs.appendFile(path.join(server.dataDirectory, 'postgresql.conf'), 'hot_standby = off\n');
    await server.begin();
    await until(async () => {
      const { findings } = await inspectPostgres(storeAt(server), contextIn(server.folder));
      return findings.some(({ what }) => what.includes('Hot standby mode is disabled'));
    }, 'the reason to be told');
  } finally {
    await server.remove();
  }
});
