import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '#base';
import type { CaptureOutcome, JournalAccess, Target } from '../../source.ts';
import type { SqlConnection } from '../connection/index.ts';
import { parseLsn } from '../lsn.ts';
import { startTestServer, type TestServer, until } from '../test-server.ts';
import { resolve, resolveWithin } from './resolve.ts';
import { type TestJournal, testJournal } from './test-journal.ts';

const CLOCK = { offsetMs: 0, uncertaintyMs: 1 };

async function lsn(connection: SqlConnection): Promise<bigint> {
  const [row] = await connection.query('select pg_current_wal_insert_lsn()::text as lsn');
  return parseLsn(String(row?.lsn)) as bigint;
}

describe.each([15, 18] as const)('resolving within the journal of Postgres %i', (major) => {
  let server: TestServer;
  let journal: TestJournal;
  let access: JournalAccess;
  let base: CaptureOutcome;
  /** Times of all commits after the base, as the server tells them, in order: one session made them. */
  let times: number[];
  let middle: bigint;

  const at = (target: Target, line?: number) => resolve(base, access, target, line);
  const time = (atMs: number) => at({ kind: 'time', atMs });

  beforeAll(async () => {
    server = await startTestServer({
      major,
      settings: { track_commit_timestamp: 'on', autovacuum: 'off' },
    });
    journal = await testJournal(server.url());
    journal.run();
    await until(async () => journal.sink.has('streaming'), 'streaming');
    const connection = await server.connect();
    await connection.query('create table t(id int, filler text)');
    const start = await lsn(connection);
    await connection.query('insert into t values (-1)');
    const end = await lsn(connection);
    base = {
      start: { line: 1, offset: start },
      end: { line: 1, offset: end },
      clock: CLOCK,
      facts: {},
    };
    for (let id = 0; id < 150; id += 1) {
      await connection.query('insert into t select $1::int, repeat(md5(random()::text), $2::int)', [
        id,
        (id * 7919) % 900,
      ]);
      if (id === 70) {
        await connection.query("select pg_create_restore_point('halfway')");
        middle = await lsn(connection);
        await connection.query('select pg_switch_wal()');
      }
    }
    await connection.query("select pg_create_restore_point('last')");
    const rows = await connection.query<{ micros: string }>(
      'select (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000000)::bigint::text as micros from t where id >= 0 order by id',
    );
    times = rows.map((row) => Number(row.micros) / 1000);
    const last = await lsn(connection);
    await connection.close();
    await until(async () => (journal.sink.end?.offset ?? 0n) >= last, 'the journal to catch up');
    await journal.close();
    access = journal.sink.access();
  });
  afterAll(async () => {
    await journal?.close();
    await server?.remove();
  });

  it('splits the commits exactly at any instant', async () => {
    expect(times).toHaveLength(150);
    const first = times[0] as number;
    const last = times.at(-1) as number;
    const instants = fc.oneof(
      fc.double({ min: first - 0.001, max: last + 5, noNaN: true }),
      fc
        .tuple(fc.nat(times.length - 1), fc.constantFrom(-0.001, 0, 0.001))
        .map(([index, shift]) => (times[index] as number) + shift),
    );
    await fc.assert(
      fc.asyncProperty(instants, async (instant) => {
        const expectedIn = times.filter((one) => one <= instant);
        const expectedOut = times.filter((one) => one > instant);
        const resolved = await time(instant);
        expect(resolved.leftBehindCommits).toBe(expectedOut.length);
        expect(resolved.firstLeftBehindMs).toBe(expectedOut[0]);
        if (expectedIn.length > 0) expect(resolved.lastCommitMs).toBe(expectedIn.at(-1));
        expect(resolved.isEnd).toBe(expectedOut.length === 0);
        // The same place by its position.
        const again = await at({ kind: 'position', position: resolved.position });
        expect(again).toEqual(resolved);
      }),
      { numRuns: 40 },
    );
  });

  it('knows restore points by name, and tells those it saw', async () => {
    const resolved = await at({ kind: 'name', name: 'halfway' });
    expect(resolved.position).toEqual({ line: 1, offset: middle });
    expect(resolved).toMatchObject({
      isEnd: false,
      lastCommitMs: times[70],
      leftBehindCommits: 79,
    });
    await expect(at({ kind: 'name', name: 'nowhere' })).rejects.toMatchObject({
      code: 'postgres/restore-point-missing',
      message: expect.stringContaining('there are: halfway, last'),
    });
  });

  it('takes everything at the end, and after the last commit', async () => {
    const end = await at({ kind: 'end' });
    expect(end).toMatchObject({ isEnd: true, lastCommitMs: times.at(-1), leftBehindCommits: 0 });
    expect(end.position.offset).toBeLessThanOrEqual(journal.sink.end?.offset as bigint);
    expect(await time(systemClock.nowMs())).toEqual(end);
    await expect(time(systemClock.nowMs() + 60_000)).rejects.toMatchObject({
      code: 'postgres/instant-in-future',
    });
  });

  it('counts what is left behind up to a bound', async () => {
    const target: Target = { kind: 'time', atMs: times[0] as number };
    const bounds = { mostCounted: 3, mostBytesAfter: 1e9, clockStepMs: 0 };
    const few = await resolveWithin(bounds, base, access, target);
    expect(few.leftBehindIsMore).toBe(true);
    expect(few.leftBehindCommits).toBeGreaterThanOrEqual(3);
    expect(few.leftBehindCommits).toBeLessThan(149);
    expect(few.position).toEqual((await time(times[0] as number)).position);
  });

  it('reads only around a target, and finds the same', async () => {
    const bounds = { mostCounted: 1e9, mostBytesAfter: 1e9, clockStepMs: 0 };
    const reads: bigint[] = [];
    /** Knows when what had left the store, as finely as commits tell it. */
    const telling = (sent: Map<number, bigint>): JournalAccess => ({
      ...access,
      read(line, from, to) {
        reads.push(from);
        return access.read(line, from, to);
      },
      sentBy: async (_line, from, to, atMs) => {
        const until = [...sent].findLast(([sentMs]) => sentMs <= atMs)?.[1] ?? from;
        return until < to ? until : to;
      },
    });
    const sent = new Map<number, bigint>();
    const instants = [times[0], times[110], times[149]] as number[];
    for (const atMs of instants) {
      const whole = await resolveWithin(bounds, base, access, { kind: 'time', atMs });
      sent.set(atMs, whole.position.offset);
    }
    for (const atMs of instants) {
      const target: Target = { kind: 'time', atMs };
      const around = await resolveWithin(bounds, base, telling(sent), target);
      expect(around).toEqual(await resolveWithin(bounds, base, access, target));
      const position: Target = { kind: 'position', position: around.position };
      expect(await resolveWithin(bounds, base, telling(sent), position)).toEqual(around);
      // Behind the switch of the segment the beginning needn't be read, before it there is nothing to skip.
      expect(reads.some((from) => from > middle)).toBe(atMs !== times[0]);
      expect(reads.some((from) => from <= base.end.offset)).toBe(atMs === times[0]);
      reads.length = 0;
    }
  });

  it('refuses what lies before the base or beyond the end', async () => {
    await expect(time((times[0] as number) - 60_000)).rejects.toMatchObject({
      code: 'postgres/instant-before-base',
    });
    const before = { line: 1, offset: base.end.offset - 8n };
    await expect(at({ kind: 'position', position: before })).rejects.toMatchObject({
      code: 'postgres/position-before-base',
    });
    const beyond = { line: 1, offset: (journal.sink.end?.offset as bigint) + 8n };
    await expect(at({ kind: 'position', position: beyond })).rejects.toMatchObject({
      code: 'postgres/position-beyond-end',
    });
    await expect(at({ kind: 'end' }, 3)).rejects.toMatchObject({
      code: 'postgres/line-unreachable',
    });
  });

  it('stops at a gap, but not for what lies before it', async () => {
    const torn: JournalAccess = {
      ...access,
      contiguousEnd: async (from) => (from.offset < middle ? middle : from.offset),
      gaps: async () => [
        {
          from: { line: 1, offset: middle },
          fromMs: (times[70] as number) + 0.01,
          because: 'slot lost',
        },
      ],
    };
    const resolved = await resolve(base, torn, { kind: 'time', atMs: times[40] as number });
    expect(resolved).toMatchObject({ lastCommitMs: times[40], isEnd: false });
    const justBefore = await resolve(base, torn, { kind: 'time', atMs: times[70] as number });
    expect(justBefore).toMatchObject({ position: { line: 1, offset: middle }, isEnd: true });
    await expect(
      resolve(base, torn, { kind: 'time', atMs: times[90] as number }),
    ).rejects.toMatchObject({
      code: 'postgres/journal-broken',
      message: expect.stringContaining('slot lost'),
    });
  });

  it('tells damage from an end', async () => {
    const damaged: JournalAccess = {
      ...access,
      async *read(line, from, to) {
        for await (const bytes of access.read(line, from, middle)) yield Buffer.from(bytes);
        yield Buffer.alloc(Number(to - middle), 0xaa);
      },
    };
    const fine = await resolve(base, damaged, { kind: 'time', atMs: times[40] as number });
    expect(fine.position).toEqual((await time(times[40] as number)).position);
    await expect(
      resolve(base, damaged, { kind: 'time', atMs: times[90] as number }),
    ).rejects.toMatchObject({
      code: 'postgres/wal-damaged',
    });
    expect(await resolve(base, damaged, { kind: 'end' })).toMatchObject({
      position: { line: 1, offset: middle },
      isEnd: true,
    });
  });

  it('begins at the end of a base whose own WAL is not in the journal', async () => {
    const later: JournalAccess = {
      ...access,
      contiguousEnd: async (from) =>
        from.offset < base.end.offset ? from.offset : await access.contiguousEnd(from),
    };
    const instant: Target = { kind: 'time', atMs: times[20] as number };
    expect(await resolve(base, later, instant)).toEqual(await resolve(base, access, instant));
  });
});
