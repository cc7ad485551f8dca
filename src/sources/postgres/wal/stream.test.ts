import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectReplication, parseConnectionUrl } from '../connection/index.ts';
import { parseLsn } from '../lsn.ts';
import { startTestServer, type TestServer, until } from '../test-server.ts';
import {
  caughtUp,
  expectServersBytes,
  flushedLsn,
  slots,
  type TestJournal,
  testJournal,
} from './test-journal.ts';
import { startProxy, type TestProxy } from './test-proxy.ts';
import { pgbench } from './test-segments.ts';

/** Kills the server with all its processes at once, as the machine's end would. */
async function killHard(server: TestServer): Promise<void> {
  const text = await fs.readFile(path.join(server.dataDirectory, 'postmaster.pid'), 'utf8');
  const pid = Number.parseInt(text, 10);
  // Stopped first, so that it can't start another process meanwhile.
  process.kill(pid, 'SIGSTOP');
  const children = await fs.readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const pids = [pid, ...children.trim().split(/\s+/).map(Number)];
  for (const one of pids) process.kill(one, 'SIGKILL');
  const isGone = (one: number) =>
    fs.readFile(`/proc/${one}/stat`, 'utf8').then(
      (stat) => /\) Z /.test(stat),
      () => true,
    );
  await until(async () => (await Promise.all(pids.map(isGone))).every(Boolean), 'the kill');
}

async function drain(batches: AsyncIterable<unknown>): Promise<void> {
  for await (const batch of batches) expect(batch).toBeDefined();
}

describe.each([15, 18] as const)('the WAL stream of Postgres %i', (major) => {
  let server: TestServer;
  let journal: TestJournal;
  let proxy: TestProxy | undefined;

  beforeAll(async () => {
    server = await startTestServer({ major, settings: { wal_keep_size: '512MB', fsync: 'on' } });
    await pgbench(server, '-i', '-s', '1');
  });
  afterEach(async () => {
    await journal.close();
    await journal.source.dispose();
    await proxy?.close();
    proxy = undefined;
  });
  afterAll(() => server?.remove());

  it('brings every byte under load, reports it flushed, and leaves no slot behind', async () => {
    // A role with no more rights than the plan asks for.
    await server.sql("create role watcher login replication password 'secret'");
    journal = await testJournal(server.url('watcher', 'secret'));
    const { sink } = journal;
    const { stop } = journal.run();
    await until(async () => sink.has('streaming'), 'streaming');
    await pgbench(server, '-c', '4', '-t', '400');
    const end = await caughtUp(server, sink);
    expect(sink.runs).toHaveLength(1);
    expect((sink.runs[0]?.from ?? 1n) % 2n ** 24n).toBe(0n);
    await expectServersBytes(server, sink.runs);
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
    // Also one from which a process still streams that nobody here knows of.
    await server.sql(
      "select pg_create_physical_replication_slot('holdfast_shop_test_orders', true)",
    );
    const link = await connectReplication(parseConnectionUrl(server.url('watcher', 'secret')));
    const stray = link.stream(
      'START_REPLICATION SLOT "holdfast_shop_test_orders" PHYSICAL 0/1000000 TIMELINE 1',
    );
    const ended = expect(drain(stray.batches())).rejects.toThrow();
    await until(async () => (await slots(server))[0]?.active === true, 'the stray stream');
    await journal.source.dispose();
    await ended;
    expect(await slots(server)).toEqual([]);
    await link.close();
  });

  it('goes on where it was after kill -9 of the server under load, and of itself', async () => {
    journal = await testJournal(server.url());
    const { sink } = journal;
    const first = journal.run();
    await until(async () => sink.has('streaming'), 'streaming');
    const load = pgbench(server, '-c', '4', '-T', '30').catch(() => 'cut off');
    await until(
      async () => (sink.end?.offset ?? 0n) > (sink.runs[0]?.from ?? 0n) + 2_000_000n,
      'load',
    );
    await killHard(server);
    expect(await load).toBe('cut off');
    await until(async () => sink.state === 'waiting', 'the loss of the server to be seen');
    await server.start();
    await pgbench(server, '-c', '2', '-t', '200');
    await caughtUp(server, sink);
    await first.stop();
    await pgbench(server, '-c', '2', '-t', '200');
    journal.run();
    await caughtUp(server, sink);
    await expectServersBytes(server, sink.runs);
    expect(sink.gaps).toEqual([]);
    expect(sink.has('needs-base')).toBe(false);
  });

  it('holds back the server when it can take no more, and nothing is lost by it', async () => {
    journal = await testJournal(server.url(), {}, { deadAfterMs: 1000 });
    const { sink } = journal;
    journal.run();
    await until(async () => sink.has('streaming'), 'streaming');
    sink.hold();
    await server.sql(
      'create table big as select repeat(md5(i::text), 60) as filler from generate_series(1, 30000) i',
    );
    const end = await flushedLsn(server);
    // Longer than the silence that counts as a cut.
    await server.sql('select pg_sleep(1.5)');
    expect(sink.state).toBe('streaming');
    expect(sink.end?.offset).toBeLessThan(end);
    sink.release();
    await caughtUp(server, sink);
    await expectServersBytes(server, sink.runs);
    await server.sql('drop table big');
  });

  it('notices a cut network, and goes on without a gap when it is mended', async () => {
    proxy = await startProxy(server.port);
    const { port } = proxy;
    journal = await testJournal(
      server.url().replace(String(server.port), String(port)),
      {},
      {
        deadAfterMs: 1000,
      },
    );
    const { sink } = journal;
    journal.run();
    await until(async () => sink.has('streaming'), 'streaming');
    proxy.cut();
    await pgbench(server, '-c', '2', '-t', '200');
    await until(async () => sink.state === 'waiting', 'the cut to be seen');
    proxy.mend();
    // The server still believes in the former connection: its end is asked for.
    await caughtUp(server, sink);
    await expectServersBytes(server, sink.runs);
    expect(sink.gaps).toEqual([]);
    expect(await slots(server)).toHaveLength(1);
  });

  it('never keeps a server from shutting down, though nothing is safe yet', async () => {
    journal = await testJournal(server.url());
    const { sink } = journal;
    sink.isDurable = false;
    journal.run();
    await until(async () => sink.has('streaming'), 'streaming');
    sink.makeDurable();
    await pgbench(server, '-c', '2', '-t', '100');
    await caughtUp(server, sink);
    await server.stop('fast');
    await until(async () => sink.state !== 'streaming', 'the end of the stream');
    sink.isDurable = true;
    await server.start();
    await caughtUp(server, sink);
    await expectServersBytes(server, sink.runs);
    expect(sink.gaps).toEqual([]);
  });

  it('refuses a slot that is no physical one', async () => {
    journal = await testJournal(server.url(), { slot: 'holdfast_taken' });
    await server.sql("alter system set wal_level = 'logical'");
    await server.stop();
    await server.start();
    await server.sql("select pg_create_logical_replication_slot('holdfast_taken', 'pgoutput')");
    await expect(journal.run().stopped).rejects.toMatchObject({ code: 'postgres/slot-taken' });
  });
});
