import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CaptureOutcome } from '../../source.ts';
import { startTestServer, type TestServer, until } from '../test-server.ts';
import { resolve } from './resolve.ts';
import {
  caughtUp,
  expectServersBytes,
  flushedLsn,
  type TestJournal,
  testJournal,
} from './test-journal.ts';
import { startProxy, type TestProxy } from './test-proxy.ts';
import { promote, replayed, startStandby, TRUSTING } from './test-standby.ts';

const SEGMENT = 2 ** 24;
const CLOCK = { offsetMs: 0, uncertaintyMs: 1 };

describe.each([15, 18] as const)('the WAL stream of Postgres %i over a promotion', (major) => {
  let primary: TestServer;
  let standby: TestServer;
  let proxy: TestProxy;
  let journal: TestJournal;
  let base: CaptureOutcome;

  beforeEach(async () => {
    primary = await startTestServer({
      major,
      hostEntries: TRUSTING,
      settings: { wal_keep_size: '256MB', autovacuum: 'off' },
    });
    standby = await startStandby(primary);
    proxy = await startProxy(primary.port);
    journal = await testJournal(primary.url().replace(String(primary.port), String(proxy.port)));
    journal.run();
    await until(async () => journal.sink.has('streaming'), 'streaming');
    await primary.sql('create table t(i int)');
    const at = { line: 1, offset: await flushedLsn(primary) };
    base = { start: at, end: at, clock: CLOCK, facts: { walSegmentSizeBytes: SEGMENT } };
  });
  afterEach(async () => {
    await journal?.close();
    await proxy?.close();
    await primary?.remove();
    await standby?.remove();
  });

  /** Where the path of a timeline leads, and how many commits lie on it since the base. */
  async function commitsOn(line: number): Promise<number> {
    const start = { kind: 'position', position: base.end } as const;
    const all = await resolve(base, journal.sink.access(), start, line);
    return all.leftBehindCommits;
  }

  it('follows the standby that was promoted, and not the former primary when it comes back', async () => {
    const { sink } = journal;
    await primary.sql('insert into t values (1)', 'insert into t values (2)');
    await replayed(standby, await caughtUp(primary, sink));
    await primary.stop('immediate');
    await promote(standby);
    proxy.target = standby.port;
    await standby.sql('insert into t values (3)');
    await until(async () => sink.end?.line === 2, 'the second timeline');
    await caughtUp(standby, sink);
    expect(sink.gaps).toEqual([]);
    expect(sink.lines).toMatchObject([{ line: 2, parent: 1 }]);
    const forkOffset = sink.lines[0]?.forkOffset as bigint;
    expect(sink.lines[0]?.raw).toMatch(/^1\t/);
    const second = sink.runs.filter((run) => run.line === 2);
    expect(second[0]?.from).toBe(forkOffset - (forkOffset % BigInt(SEGMENT)));
    await expectServersBytes(standby, second);
    expect(await commitsOn(2)).toBe(3);
    const end = await resolve(base, sink.access(), { kind: 'end' });
    expect(end.position.line).toBe(2);
    expect(end.isEnd).toBe(true);

    // The former primary comes back as if nothing had been.
    await journal.stop();
    await primary.start();
    proxy.target = primary.port;
    await expect(journal.run().stopped).rejects.toMatchObject({ code: 'postgres/server-behind' });
  });

  it('keeps what only the former primary had as a branch of its own', async () => {
    const { sink } = journal;
    await primary.sql('insert into t values (1)');
    await replayed(standby, await caughtUp(primary, sink));
    // The standby hears no more; the primary goes on, and we with it.
    await standby.stop('immediate');
    for (let i = 0; i < 5; i += 1) await primary.sql('insert into t values (4)');
    await caughtUp(primary, sink);
    await primary.stop('immediate');
    await standby.start();
    await promote(standby);
    await standby.sql('insert into t values (5)', 'insert into t values (6)');
    proxy.target = standby.port;
    await until(async () => sink.end?.line === 2, 'the second timeline');
    await caughtUp(standby, sink);
    expect(await commitsOn(1)).toBe(6);
    expect(await commitsOn(2)).toBe(3);
    const [newest, former] = await Promise.all([
      resolve(base, sink.access(), { kind: 'end' }),
      resolve(base, sink.access(), { kind: 'end' }, 1),
    ]);
    expect(newest.position.line).toBe(2);
    expect(former.position.line).toBe(1);
    expect(former.position.offset).toBeGreaterThan(sink.lines[0]?.forkOffset as bigint);
  });

  it('follows a standby that is promoted while it streams from it', async () => {
    const { sink } = journal;
    proxy.target = standby.port;
    await journal.stop();
    journal.run();
    await primary.sql('insert into t values (1)');
    await replayed(standby, await caughtUp(primary, sink));
    const connectedBefore = sink.states.filter(({ state }) => state === 'connecting').length;
    await promote(standby);
    await standby.sql('insert into t values (2)');
    await until(async () => sink.end?.line === 2, 'the second timeline');
    await caughtUp(standby, sink);
    // On the same connection: the server says where the next timeline begins.
    const connectedAfter = sink.states.filter(({ state }) => state === 'connecting').length;
    expect(connectedAfter).toBe(connectedBefore);
    expect(sink.lines).toMatchObject([{ line: 2, parent: 1 }]);
    expect(await commitsOn(2)).toBe(2);
  });
});
