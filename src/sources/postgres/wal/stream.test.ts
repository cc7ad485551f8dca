import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseLsn } from '../lsn.ts';
import { startTestServer, type TestServer, until } from '../test-server.ts';
import { type TestJournal, testJournal } from './test-journal.ts';
import { pgbench, walBytes } from './test-segments.ts';
import type { MemorySink } from './test-sink.ts';

async function flushedLsn(server: TestServer): Promise<bigint> {
  const [row] = await server.sql('select pg_current_wal_flush_lsn()::text as lsn');
  return parseLsn(String(row?.lsn)) as bigint;
}

async function caughtUp(server: TestServer, sink: MemorySink): Promise<bigint> {
  const end = await flushedLsn(server);
  await until(async () => (sink.end?.offset ?? 0n) >= end, 'the stream to catch up');
  return end;
}

/** Every byte that came, against the files of the server; what came is one unbroken run. */
async function expectServersBytes(server: TestServer, sink: MemorySink): Promise<void> {
  for (const run of sink.runs) {
    const expected = await walBytes(server, run);
    expect(Buffer.concat(run.parts).equals(expected)).toBe(true);
  }
  for (const [index, run] of sink.runs.entries()) {
    const before = sink.runs[index - 1];
    if (before?.line === run.line) expect(run.from).toBeLessThanOrEqual(before.to);
  }
}

async function slots(server: TestServer): Promise<Record<string, unknown>[]> {
  return await server.sql(
    "select slot_name, active, restart_lsn::text from pg_replication_slots where slot_name like 'holdfast%'",
  );
}

describe.each([15, 18] as const)('the WAL stream of Postgres %i', (major) => {
  let server: TestServer;
  let journal: TestJournal;

  beforeAll(async () => {
    server = await startTestServer({ major, settings: { wal_keep_size: '512MB', fsync: 'on' } });
    await pgbench(server, '-i', '-s', '1');
  });
  afterEach(async () => {
    await journal?.close();
    await server.sql(
      `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name like 'holdfast%'`,
    );
  });
  afterAll(() => server?.remove());

  it('brings every byte under load, reports it flushed, and leaves no slot behind', async () => {
    journal = await testJournal(server.url());
    const { sink } = journal;
    const { stop } = journal.run();
    await until(async () => sink.has('streaming'), 'streaming');
    await pgbench(server, '-c', '4', '-t', '800');
    const end = await caughtUp(server, sink);
    expect(sink.runs).toHaveLength(1);
    expect(sink.runs[0]?.from).toBe((sink.runs[0]?.from ?? 1n) & ~0xffffffn);
    await expectServersBytes(server, sink);
    await until(async () => {
      const [row] = await slots(server);
      return (parseLsn(String(row?.restart_lsn)) ?? 0n) >= end;
    }, 'the flush to be reported');
    const [sender] = await server.sql(
      'select application_name, replay_lsn::text from pg_stat_replication',
    );
    expect(sender).toEqual({ application_name: 'holdfast', replay_lsn: null });
    expect(sink.heardAt.at(-1)?.senderEnd.offset).toBeGreaterThanOrEqual(end);
    await stop();
    expect(await slots(server)).toHaveLength(1);
    await journal.source.dispose();
    await journal.source.dispose();
    expect(await slots(server)).toEqual([]);
  });
});
