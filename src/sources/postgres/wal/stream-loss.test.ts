import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer, until } from '../test-server.ts';
import {
  caughtUp,
  expectServersBytes,
  flushedLsn,
  slots,
  type TestJournal,
  testJournal,
} from './test-journal.ts';

const SLOT = 'holdfast_shop_test_orders';

/**
 * Writes this many WAL segments of 1 MiB. With a checkpoint after each, the server forgets those it may, and a new slot
 * begins at the newest.
 */
async function advance(
  server: TestServer,
  segments: number,
  afterEach = 'checkpoint',
): Promise<void> {
  const connection = await server.connect();
  try {
    for (let i = 0; i < segments; i += 1) {
      await connection.query("select pg_logical_emit_message(false, 'x', repeat('x', 300000))");
      await connection.query('select pg_switch_wal()');
      await connection.query(afterEach);
    }
  } finally {
    await connection.close();
  }
}

describe.each([15, 18] as const)('what the WAL stream of Postgres %i loses', (major) => {
  let server: TestServer;
  let journal: TestJournal;

  beforeAll(async () => {
    server = await startTestServer({
      major,
      initdbArguments: ['--wal-segsize=1'],
      settings: {
        min_wal_size: '2MB',
        max_wal_size: '4MB',
        max_slot_wal_keep_size: '16MB',
        wal_keep_size: '0',
        synchronous_commit: 'off',
      },
    });
  });
  afterEach(async () => {
    await journal.close();
    await journal.source.dispose();
  });
  afterAll(() => server?.remove());

  async function streaming(own: Record<string, unknown> = {}): Promise<TestJournal> {
    journal = await testJournal(server.url(), own);
    const { stop } = journal.run();
    await until(async () => journal.sink.has('streaming'), 'streaming');
    await server.sql("select pg_logical_emit_message(false, 'x', 'first')");
    await caughtUp(server, journal.sink);
    await stop();
    journal.sink.states.length = 0;
    return journal;
  }

  /** What every loss must end in: streaming again, one gap from what was safe to where it goes on. */
  async function expectGapAndNewBase(safe: bigint): Promise<void> {
    const { sink } = journal;
    await until(async () => sink.gaps.length > 0 && sink.state === 'streaming', 'a gap');
    await server.sql("select pg_logical_emit_message(false, 'x', 'afterwards')");
    await caughtUp(server, sink);
    expect(sink.gaps).toMatchObject([{ from: { line: 1, offset: safe } }]);
    const last = sink.runs.at(-1);
    expect(last?.from).toBeGreaterThan(safe);
    await expectServersBytes(server, last ? [last] : [], 2 ** 20);
    expect(sink.states.filter(({ state }) => state === 'needs-base')).toHaveLength(1);
    expect(await slots(server)).toMatchObject([{ slot_name: SLOT, active: true }]);
  }

  it('tells a gap after the server gave the slot up at its own bound', async () => {
    const { sink, run } = await streaming();
    const from = sink.resumeFrom()?.offset as bigint;
    await advance(server, 24);
    const [slot] = await server.sql('select wal_status from pg_replication_slots');
    expect(slot).toEqual({ wal_status: 'lost' });
    run();
    await expectGapAndNewBase(from);
    expect(sink.gaps[0]?.because).toContain('no longer has the WAL');
  });

  it('tells a gap when the slot was dropped and the WAL is gone', async () => {
    const { sink, run } = await streaming();
    const from = sink.resumeFrom()?.offset as bigint;
    await server.sql(`select pg_drop_replication_slot('${SLOT}')`);
    await advance(server, 12);
    run();
    await expectGapAndNewBase(from);
  });

  it('makes a dropped slot anew, without a gap while the WAL is still there', async () => {
    const { sink, run } = await streaming();
    await server.sql(`select pg_drop_replication_slot('${SLOT}')`);
    await server.sql("select pg_logical_emit_message(false, 'x', 'meanwhile')");
    run();
    await until(async () => sink.state === 'streaming', 'streaming');
    await caughtUp(server, sink);
    expect(sink.gaps).toEqual([]);
    expect(sink.has('needs-base')).toBe(false);
    await expectServersBytes(server, sink.runs, 2 ** 20);
    expect(await slots(server)).toHaveLength(1);
  });

  it('gives its own slot up at the limit while nothing gets safe, and frees the server', async () => {
    const { sink, run } = await streaming({ slotLimit: '6MiB' });
    const from = sink.resumeFrom()?.offset as bigint;
    sink.isDurable = false;
    run();
    await until(async () => sink.state === 'streaming', 'streaming');
    await advance(server, 10);
    await until(async () => sink.has('needs-base'), 'the limit to be seen');
    sink.isDurable = true;
    await expectGapAndNewBase(from);
    expect(sink.gaps[0]?.because).toContain('more than its limit of 6.0 MiB');
  });

  it('sees the limit also while it takes nothing, and waits with a new slot until it can', async () => {
    const { sink, run } = await streaming({ slotLimit: '6MiB' });
    run();
    await until(async () => sink.state === 'streaming', 'streaming');
    sink.hold();
    await advance(server, 14);
    await until(async () => sink.has('needs-base'), 'the limit to be seen');
    expect(await slots(server)).toEqual([]);
    // What was on its way when it was held came, and is safe.
    const safe = sink.resumeFrom()?.offset as bigint;
    sink.release();
    await expectGapAndNewBase(safe);
  });

  it('frees the server again while its last checkpoint lies beyond the limit', async () => {
    await server.sql("alter system set max_wal_size = '1GB'");
    await server.sql('select pg_reload_conf()');
    try {
      const { sink, run } = await streaming({ slotLimit: '6MiB' });
      const from = sink.resumeFrom()?.offset as bigint;
      await advance(server, 10, 'select 1');
      run();
      await until(async () => sink.has('needs-base'), 'the limit to be seen');
      // A new slot is too long at once, and is given up as the first was.
      const waits = () => sink.states.filter(({ state }) => state === 'waiting').length;
      await until(async () => waits() > 2, 'further tries');
      await server.sql('checkpoint');
      await expectGapAndNewBase(from);
    } finally {
      await server.sql('alter system reset max_wal_size');
      await server.sql('select pg_reload_conf()');
    }
  });

  it('finds the limit passed when it comes back', async () => {
    const { sink, run } = await streaming({ slotLimit: '6MiB' });
    const from = sink.resumeFrom()?.offset as bigint;
    await advance(server, 10);
    run();
    await expectGapAndNewBase(from);
    expect(await flushedLsn(server)).toBeGreaterThan(from);
  });

  it('removes the slot of an earlier name', async () => {
    const { run } = await streaming({ slot: 'holdfast_earlier' });
    expect(await slots(server)).toMatchObject([{ slot_name: 'holdfast_earlier' }]);
    run({ slot: 'holdfast_later' });
    await until(async () => journal.sink.state === 'streaming', 'streaming');
    expect(await slots(server)).toMatchObject([{ slot_name: 'holdfast_later' }]);
  });

  it('refuses to mix in another cluster', async () => {
    const { run } = await streaming();
    const other = await startTestServer({ major });
    try {
      await expect(run({ url: other.url() }).stopped).rejects.toMatchObject({
        code: 'postgres/other-cluster',
      });
      expect(await slots(other)).toEqual([]);
    } finally {
      await other.remove();
    }
  });
});
