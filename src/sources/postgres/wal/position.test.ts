import fs from 'node:fs/promises';
import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CaptureOutcome, JournalPosition } from '../../source.ts';
import { startTestServer, type TestServer, until } from '../test-server.ts';
import { contextIn, storeAt } from '../testing.ts';
import { currentPosition } from './position.ts';
import { resolve } from './resolve.ts';
import { flushedLsn, type TestJournal, testJournal } from './test-journal.ts';

describe.each([15, 18] as const)('where the WAL of Postgres %i stands', (major) => {
  let server: TestServer;
  let journal: TestJournal;
  let base: CaptureOutcome;
  const now = async () =>
    (await currentPosition(storeAt(server), contextIn(server.folder))) as JournalPosition;

  beforeAll(async () => {
    server = await startTestServer({ major, settings: { autovacuum: 'off' } });
    journal = await testJournal(server.url());
    journal.run();
    await until(async () => journal.sink.has('streaming'), 'streaming');
    await server.sql('create table t(i int)');
    const at = { line: 1, offset: await flushedLsn(server) };
    const clock = { offsetMs: 0, uncertaintyMs: 1 };
    base = { start: at, end: at, clock, facts: { walSegmentSizeBytes: 2 ** 24 } };
  });
  afterAll(async () => {
    await journal?.close();
    await server?.remove();
  });

  it('parts what was committed before it was asked from what came after', async () => {
    await server.sql('insert into t values (1)', 'insert into t values (2)');
    const between = await now();
    await server.sql('insert into t values (3)', 'select pg_switch_wal()');
    // Nothing but the header of a page lies between the end of a segment and the next record.
    const afterSwitch = await now();
    await server.sql('insert into t values (4)');
    const last = await now();
    expect(between.line).toBe(1);
    const end = async () => (journal.sink.end?.offset ?? 0n) >= last.offset;
    await until(end, 'the journal to come so far');
    const leftBehind = async (position: JournalPosition) =>
      (await resolve(base, journal.sink.access(), { kind: 'position', position }))
        .leftBehindCommits;
    expect(await leftBehind(between)).toBe(2);
    expect(await leftBehind(afterSwitch)).toBe(1);
    expect(await leftBehind(last)).toBe(0);
  });

  it('is told while nothing happens, also right after a switch', async () => {
    await server.sql('insert into t values (5)', 'select pg_switch_wal()');
    const position = await now();
    const flushed = await flushedLsn(server);
    await until(async () => (journal.sink.end?.offset ?? 0n) >= flushed, 'the journal to catch up');
    const target = { kind: 'position', position } as const;
    const { leftBehindCommits } = await resolve(base, journal.sink.access(), target);
    expect(leftBehindCommits).toBe(0);
  });
});

it('nobody waits for a server that does not answer', async () => {
  const silent = net.createServer(() => {});
  await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening));
  const { port } = silent.address() as net.AddressInfo;
  const folder = await fs.mkdtemp('/tmp/holdfast-position-');
  const url = `postgresql://u:p@127.0.0.1:${port}/x?sslmode=disable`;
  const store = storeAt({ url: () => url } as TestServer);
  try {
    await expect(
      currentPosition(store, contextIn(folder, AbortSignal.timeout(50))),
    ).rejects.toMatchObject({ name: 'TimeoutError' });
  } finally {
    silent.close();
    await fs.rm(folder, { recursive: true });
  }
});
