import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sleepMs } from '#base';
import type { JournalPosition } from '../../source.ts';
import { parseLsn } from '../lsn.ts';
import { startTestServer, type TestServer, until } from '../test-server.ts';
import { WalDecoder } from './decode.ts';
import { type TestJournal, testJournal } from './test-journal.ts';

describe.each([15, 18] as const)('Holdfast as synchronous standby of Postgres %i', (major) => {
  let server: TestServer;
  let journal: TestJournal;

  beforeAll(async () => {
    server = await startTestServer({ major, settings: { autovacuum: 'off' } });
    await server.sql('create table t(i int)');
    journal = await testJournal(server.url(), { synchronousName: 'holdfast_x' });
    journal.run();
    await until(async () => journal.sink.has('streaming'), 'streaming');
    await server.sql(
      "select pg_logical_emit_message(false, 'x', 'so that something is durable')",
      "alter system set synchronous_standby_names = 'holdfast_x'",
      'select pg_reload_conf()',
    );
    await until(async () => {
      const [sender] = await server.sql('select sync_state from pg_stat_replication');
      return sender?.sync_state === 'sync';
    }, 'the synchronous state');
  });
  afterAll(async () => {
    await server?.stop('immediate');
    await journal?.close();
    await server?.remove();
  });

  it('acknowledges no commit before it is durable here', async () => {
    const { sink } = journal;
    sink.isDurable = false;
    const connection = await server.connect();
    let isAcknowledged = false;
    const commit = connection.query('insert into t values (1)').then(() => {
      isAcknowledged = true;
    });
    const isWaiting = async () => {
      const rows = await server.sql(
        "select 1 from pg_stat_activity where wait_event = 'SyncRep' and query like 'insert%'",
      );
      return rows.length === 1;
    };
    await until(isWaiting, 'the commit to wait');
    await until(async () => {
      const [row] = await server.sql('select pg_current_wal_flush_lsn()::text as lsn');
      return (sink.end?.offset ?? 0n) >= (parseLsn(String(row?.lsn)) ?? 0n);
    }, 'its bytes to come');
    expect(isAcknowledged).toBe(false);
    expect(await isWaiting()).toBe(true);
    sink.makeDurable();
    await commit;
    await connection.close();
  });

  it('holds every acknowledged commit when the primary is gone', async () => {
    const { sink } = journal;
    sink.isDurable = false;
    const stopSyncing = new AbortController();
    const syncing = (async () => {
      while (!stopSyncing.signal.aborted) {
        await sleepMs(2);
        sink.makeDurable();
      }
    })();
    const acknowledged: { lsn: bigint; durable: JournalPosition | undefined }[] = [];
    const client = async () => {
      const connection = await server.connect();
      for (;;) {
        const rows = await connection
          .query('insert into t values (2) returning pg_current_wal_insert_lsn()::text as lsn')
          .catch(() => undefined);
        if (rows === undefined) return;
        // Read at the acknowledgement: at least the commit's beginning must be durable by now.
        const lsn = parseLsn(String(rows[0]?.lsn)) as bigint;
        acknowledged.push({ lsn, durable: sink.resumeFrom() });
      }
    };
    const clients = [client(), client(), client()];
    await until(async () => acknowledged.length >= 150, 'commits');
    await server.stop('immediate');
    stopSyncing.abort();
    await Promise.all([...clients, syncing]);
    for (const { lsn, durable } of acknowledged) {
      expect(durable?.offset).toBeGreaterThan(lsn);
    }
    // Commits that waited together are acknowledged in any order.
    const earliest = acknowledged.reduce(
      (least, { lsn }) => (lsn < least ? lsn : least),
      2n ** 64n,
    );
    let commits = 0;
    const first = sink.runs[0];
    const decoder = new WalDecoder(first?.from ?? 0n, {
      onEvent: (event) => {
        if (event.kind === 'commit' && event.end > earliest) commits += 1;
      },
    });
    const durable = sink.resumeFrom() as JournalPosition;
    for await (const bytes of sink.access().read(1, first?.from ?? 0n, durable.offset)) {
      decoder.push(bytes);
    }
    expect(commits).toBeGreaterThanOrEqual(acknowledged.length);
  });
});
