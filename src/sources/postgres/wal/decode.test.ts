import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseLsn } from '../lsn.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import { WalDecoder } from './decode.ts';
import type { WalEnd, WalEvent } from './event.ts';
import { pgbench, walBytes, waldump } from './test-segments.ts';

const SEGMENT = 2 ** 24;

type Decoded = { events: WalEvent[]; recordEnd: bigint | undefined; end: WalEnd | undefined };

function decode(
  start: bigint,
  bytes: Uint8Array,
  pieces: Iterable<number> = [bytes.length],
  segmentSizeBytes = SEGMENT,
): Decoded {
  const events: WalEvent[] = [];
  const decoder = new WalDecoder(start, {
    onEvent: (event) => events.push(event),
    segmentSizeBytes,
  });
  let at = 0;
  for (const piece of pieces) {
    // A copy that is spoilt afterwards, as a reused network buffer would be.
    const part = Buffer.from(bytes.subarray(at, at + piece));
    decoder.push(part);
    part.fill(0xee);
    at += piece;
  }
  decoder.push(bytes.subarray(at));
  return { events, recordEnd: decoder.recordEnd, end: decoder.end };
}

async function currentLsn(server: TestServer): Promise<bigint> {
  // The flush position: what lies in the files.
  const [row] = await server.sql('checkpoint', 'select pg_current_wal_flush_lsn()::text as lsn');
  return parseLsn(String(row?.lsn)) as bigint;
}

/** What pg_waldump tells, in our words. */
function eventsOfDump(
  text: string,
): { kind: string; start: bigint; atMs?: number; name?: string }[] {
  const found = [];
  for (const line of text.split('\n')) {
    const start = parseLsn(/lsn: ([0-9A-F]+\/[0-9A-F]+)/.exec(line)?.[1] ?? '') as bigint;
    const commit = /desc: COMMIT(?:_PREPARED \d+:)? (.{19})\.(\d{6}) UTC/.exec(line);
    if (commit) {
      const wholeMs = Date.parse(`${commit[1]?.replace(' ', 'T')}Z`);
      found.push({ kind: 'commit', start, atMs: wholeMs + Number(commit[2]) / 1000 });
    }
    const name = /desc: RESTORE_POINT (.*)/.exec(line)?.[1];
    if (name !== undefined) found.push({ kind: 'restore-point', start, name });
  }
  return found;
}

function inWordsOfDump(event: WalEvent) {
  const { kind, start } = event;
  return kind === 'commit' ? { kind, start, atMs: event.atMs } : { kind, start, name: event.name };
}

describe('WAL of Postgres 15, against pg_waldump', () => {
  const START = BigInt(SEGMENT);
  let server: TestServer;
  let bytes: Buffer;
  let to: bigint;
  let whole: Decoded;

  beforeAll(async () => {
    server = await startTestServer({
      major: 15,
      settings: { max_prepared_transactions: '4', autovacuum: 'off', wal_keep_size: '256MB' },
    });
    await pgbench(server, '-i', '-s', '1');
    await pgbench(server, '-c', '2', '-t', '1500');
    await server.sql(
      "select pg_create_restore_point('before deploy – ünï')",
      'create table p(i int)',
      'begin; insert into p values (1); savepoint s; insert into p values (2); prepare transaction $$x$$',
      "commit prepared 'x'",
      'select pg_switch_wal()',
    );
    await pgbench(server, '-c', '2', '-t', '300');
    // A record larger than a segment's page many times over, and one with many subtransactions and invalidations.
    await server.sql(
      "select pg_logical_emit_message(true, 'big', repeat('x', 900000))",
      'do $$ begin for i in 1..300 loop execute format($f$create table many_%s(i int)$f$, i); end loop; end $$',
    );
    to = await currentLsn(server);
    const lastSegmentEnd = to + BigInt(SEGMENT) - (to % BigInt(SEGMENT));
    bytes = await walBytes(server, { line: 1, from: START, to: lastSegmentEnd });
    // The server may have gone on writing since.
    bytes.fill(0, Number(to - START));
    whole = decode(START, bytes);
  });
  afterAll(() => server?.remove());

  it('finds the same commits and restore points, with their times to the microsecond', async () => {
    const expected = eventsOfDump(await waldump(server, START, to));
    expect(expected.length).toBeGreaterThan(3300);
    expect(expected.some((event) => event.name === 'before deploy – ünï')).toBe(true);
    expect(whole.events.map(inWordsOfDump)).toEqual(expected);
    expect(whole.events.filter((event) => event.kind === 'commit' && event.prepared)).toHaveLength(
      1,
    );
  });

  it('ends where the server ended', () => {
    expect(whole.recordEnd).toBe(to);
    expect(whole.end).toEqual({ because: 'no-record', at: to });
  });

  it('tells the same whatever the sizes of the buffers', () => {
    const part = bytes.subarray(0, SEGMENT + 100_000);
    const expected = decode(START, part);
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.nat(40), fc.nat(9000), fc.nat(2_000_000)), { maxLength: 4000 }),
        (pieces) => {
          expect(decode(START, part, pieces)).toEqual(expected);
        },
      ),
      { numRuns: 10 },
    );
    expect(decode(START, part.subarray(0, 200_000), Array(200_000).fill(1))).toEqual(
      decode(START, part.subarray(0, 200_000)),
    );
  });

  it('begins at any segment, page or record', () => {
    const pages = fc.nat(bytes.length / 8192 - 1).map((page) => page * 8192);
    const records = fc
      .nat(whole.events.length - 1)
      .map((index) => Number((whole.events[index] as WalEvent).start - START));
    fc.assert(
      fc.property(fc.oneof(pages, records), (at) => {
        fc.pre(START + BigInt(at) < to);
        const from = START + BigInt(at);
        const some = decode(from, bytes.subarray(at));
        // A page in the padding after a switch record holds no record.
        if (some.recordEnd === undefined) return;
        expect(some.events).toEqual(whole.events.filter((event) => event.start >= from));
        expect(some.recordEnd).toBe(to);
      }),
      { numRuns: 25 },
    );
  });

  it('never goes past a damaged byte, and never tells what is not there', () => {
    const part = bytes.subarray(0, 4 * 2 ** 20);
    const expected = decode(START, part).events;
    fc.assert(
      fc.property(fc.nat(part.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Buffer.from(part);
        damaged[at] = (damaged[at] as number) ^ flip;
        const found = decode(START, damaged);
        expect(found.events).toEqual(expected.slice(0, found.events.length));
        const before = expected.filter((event) => event.end <= START + BigInt(at));
        expect(found.events.length).toBeGreaterThanOrEqual(before.length);
        if (found.end !== undefined) {
          expect(found.recordEnd ?? START).toBeLessThanOrEqual(START + BigInt(at));
        }
      }),
      { numRuns: 80 },
    );
  });

  it('takes a recycled segment for the end', () => {
    const recycled = Buffer.concat([bytes.subarray(0, SEGMENT), bytes.subarray(0, SEGMENT)]);
    const found = decode(START, recycled);
    expect(found.end).toMatchObject({ at: START + BigInt(SEGMENT) });
    expect(found.recordEnd).toBeLessThanOrEqual(START + BigInt(SEGMENT));
  });

  it('stands hostile lengths and garbage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30_000 }), fc.nat(20_000), (noise, at) => {
        const bad = Buffer.from(bytes.subarray(0, 65_536));
        bad.set(noise, at);
        const found = decode(START, bad, [at, 3, 100]);
        expect(found.recordEnd ?? START).toBeLessThanOrEqual(START + 65_536n);
      }),
    );
    const endless = Buffer.from(bytes.subarray(0, 65_536));
    const at = Number((whole.events[0] as WalEvent).start - START);
    const host = Buffer.concat([endless, bytes.subarray(65_536, at + 4)]);
    host.writeUInt32LE(0xffffffff, at);
    expect(decode(START, Buffer.concat([host, bytes.subarray(at + 4)])).events).toEqual([]);
  });
});

describe('WAL of Postgres 18 with segments of 1 MiB, against what SQL tells', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startTestServer({
      major: 18,
      initdbArguments: ['--wal-segsize=1'],
      settings: { track_commit_timestamp: 'on', autovacuum: 'off', wal_keep_size: '256MB' },
    });
  });
  afterAll(() => server?.remove());

  it('finds each commit between the positions seen around it, with its time', async () => {
    const connection = await server.connect();
    type Seen = { before: bigint; after: bigint; atMs: number };
    const seen: Seen[] = [];
    const lsn = async () => {
      const rows = await connection.query('select pg_current_wal_insert_lsn()::text as lsn');
      return parseLsn(String(rows[0]?.lsn)) as bigint;
    };
    await connection.query('create table t(i int, filler text)');
    const start = await lsn();
    for (let i = 0; i < 80; i += 1) {
      const before = await lsn();
      const [row] = await connection.query<{ xid: string }>(
        'insert into t select $1::int, repeat(md5(random()::text), 1000) from generate_series(1, 3) returning pg_current_xact_id()::text as xid',
        [i],
      );
      if (i % 20 === 0) await connection.query('select pg_switch_wal()');
      const [at] = await connection.query<{ micros: string }>(
        'select (extract(epoch from pg_xact_commit_timestamp($1::xid)) * 1000000)::bigint::text as micros',
        [row?.xid],
      );
      seen.push({ before, after: await lsn(), atMs: Number(at?.micros) / 1000 });
    }
    await connection.query("select pg_create_restore_point('r18')");
    await connection.close();
    const to = await currentLsn(server);
    const from = start - (start % BigInt(2 ** 20));
    const bytes = await walBytes(server, { line: 1, from, to, segmentSizeBytes: 2 ** 20 });
    const { events, recordEnd } = decode(from, bytes, [100, 5000], 2 ** 20);
    expect(recordEnd).toBe(to);
    const commits = events.filter((event) => event.kind === 'commit' && event.start >= start);
    expect(commits.map((event) => event.atMs)).toEqual(seen.map((one) => one.atMs));
    for (const [index, one] of seen.entries()) {
      expect(commits[index]?.start).toBeGreaterThanOrEqual(one.before);
      expect(commits[index]?.end).toBeLessThanOrEqual(one.after);
    }
    expect(events.at(-1)).toMatchObject({ kind: 'restore-point', name: 'r18' });
  });
});
