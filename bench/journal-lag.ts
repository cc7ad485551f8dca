/**
 * How old what isn't in the repository yet gets while pgbench runs, with and without base captures beside it. Seen from
 * the server: an instant counts as shipped when Holdfast has reported its WAL as flushed, which it does only for what is
 * in the repository.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { sleepMs, systemClock } from '#base';
import type { SqlConnection } from '../src/sources/postgres/connection/index.ts';
import { type TestServer, until } from '../src/sources/postgres/test-server.ts';
import { connectionOf, openDatabase } from './database.ts';
import { measure } from './measure.ts';
import { holdfast } from './peers.ts';
import { type BenchTable, ratio } from './table.ts';

const CLIENTS = 8;
/** Ended by hand: the time is only a bound. */
const LOAD = ['-n', '-c', `${CLIENTS}`, '-j', '2', '-T', '3600'];
const LOOK_EVERY_MS = 50;
/** The first seconds of a load are those of its connections. */
const WARM_UP_MS = 2_000;

/** Positions in the WAL, and a count of transactions. */
type Look = { atMs: number; written: bigint; shipped: bigint; transactions: bigint };

/** `lagsMs` from small to large. */
type Phase = {
  lagsMs: number[];
  transactionsPerSecond: number;
  walBytesPerSecond: number;
  bases: number;
};

export async function benchJournalLag(
  folder: string,
  bytes: number,
  seconds: number,
): Promise<BenchTable> {
  const { server, bytes: databaseBytes } = await openDatabase(folder, bytes);
  const repository = path.join(folder, 'lag-repository');
  const state = path.join(folder, 'lag-state');
  fs.mkdirSync(state, { mode: 0o700 });
  const env = holdfast.env(folder);
  await measure(holdfast.init(repository), env);
  const shipping = startShipping(server, repository, state, env.HOLDFAST_PASSWORD as string);
  try {
    await until(() => isCaughtUp(server), 'the journal to stream');
    const alone = await underLoad(server, seconds, async () => 0);
    const beside = await underLoad(server, seconds, shipping.basesUntil);
    return tableOf(databaseBytes, seconds, [alone, beside]);
  } finally {
    await shipping.end();
    await server.remove();
    for (const made of [repository, state]) fs.rmSync(made, { recursive: true, force: true });
  }
}

/** What was written before the stream began is no lag of it. */
async function isCaughtUp(server: TestServer): Promise<boolean> {
  const rows = await server.sql(
    'select 1 from pg_stat_replication where flush_lsn >= pg_current_wal_flush_lsn()',
  );
  return rows.length > 0;
}

type Shipping = {
  /** One base after another until told to stop; resolves to how many. */
  basesUntil(stop: AbortSignal): Promise<number>;
  end(): Promise<void>;
};

function startShipping(
  server: TestServer,
  repository: string,
  state: string,
  password: string,
): Shipping {
  const program = path.join(import.meta.dirname, 'journal-shipping.ts');
  const child = spawn(process.execPath, [program], {
    env: {
      ...process.env,
      BENCH_REPOSITORY: repository,
      BENCH_PASSWORD: password,
      BENCH_URL: server.url(),
      BENCH_STATE: state,
      // As bin/holdfast sets it.
      UV_THREADPOOL_SIZE: '16',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async basesUntil(stop) {
      let bases = 0;
      for (; !stop.aborted; bases += 1) {
        child.stdin.write('base\n');
        if ((await answers.next()).done) throw new Error('the capture failed');
      }
      return bases;
    },
    async end() {
      child.stdin.end();
      await ended;
    },
  };
}

/** Loads the server for so long, and until `beside` has ended, and looks how far the journal has come. */
async function underLoad(
  server: TestServer,
  seconds: number,
  beside: (stop: AbortSignal) => Promise<number>,
): Promise<Phase> {
  const load = spawn(path.join(server.binaries, 'pgbench'), LOAD, {
    env: { ...process.env, ...connectionOf(server) },
    stdio: 'ignore',
  });
  const loadEnded = once(load, 'close');
  const connection = await server.connect();
  const looks: Look[] = [];
  const over = new AbortController();
  const looking = lookUntil(over.signal, connection, looks);
  try {
    await sleepMs(WARM_UP_MS);
    const first = looks.length;
    const [bases] = await Promise.all([
      beside(AbortSignal.timeout(seconds * 1000)),
      sleepMs(seconds * 1000),
    ]);
    const last = looks.at(-1);
    const counted = looks.length - first;
    await until(async () => isShipped(looks, last), 'the journal');
    return { bases, ...figuresOf(looks.slice(first), counted) };
  } finally {
    over.abort();
    await looking;
    await connection.close();
    load.kill('SIGTERM');
    await loadEnded;
  }
}

async function lookUntil(
  over: AbortSignal,
  connection: SqlConnection,
  looks: Look[],
): Promise<void> {
  while (!over.aborted) {
    const [row] = await connection.query<{ written: string; shipped: string | null; xid: string }>(
      `select pg_current_wal_flush_lsn() - '0/0' as written,
              (select max(flush_lsn) - '0/0' from pg_stat_replication where state = 'streaming') as shipped,
              pg_snapshot_xmax(pg_current_snapshot()) as xid`,
    );
    looks.push({
      atMs: systemClock.monotonicMs(),
      written: BigInt(row?.written ?? 0),
      shipped: BigInt(row?.shipped ?? 0),
      transactions: BigInt(row?.xid ?? 0),
    });
    await sleepMs(LOOK_EVERY_MS);
  }
}

const isShipped = (looks: readonly Look[], of: Look | undefined): boolean =>
  of !== undefined && (looks.at(-1)?.shipped ?? 0n) >= of.written;

/** Of the first `counted` looks: when was what was written then first seen to be shipped. */
function figuresOf(looks: readonly Look[], counted: number): Omit<Phase, 'bases'> {
  const lagsMs: number[] = [];
  let seen = 0;
  for (const { atMs, written } of looks.slice(0, counted)) {
    while (seen < looks.length && (looks[seen] as Look).shipped < written) seen += 1;
    lagsMs.push(Math.max(0, (looks[seen]?.atMs ?? Number.POSITIVE_INFINITY) - atMs));
  }
  const [first, last] = [looks[0] as Look, looks[counted - 1] as Look];
  const seconds = (last.atMs - first.atMs) / 1000;
  return {
    lagsMs: lagsMs.sort((a, b) => a - b),
    transactionsPerSecond: Number(last.transactions - first.transactions) / seconds,
    walBytesPerSecond: Number(last.written - first.written) / seconds,
  };
}

function tableOf(databaseBytes: number, seconds: number, phases: readonly Phase[]): BenchTable {
  const row = (title: string, unit: string, pick: (phase: Phase) => number) => {
    const [alone, beside] = phases.map(pick) as [number, number];
    return { title, unit, values: [alone, beside], ratios: [ratio(beside, alone)] };
  };
  const size = Math.round(databaseBytes / 2 ** 20);
  const share = (of: number) => (phase: Phase) =>
    (phase.lagsMs[Math.floor((phase.lagsMs.length - 1) * of)] as number) / 1000;
  return {
    title: `journal lag under pgbench -c ${CLIENTS}, ${size} MiB, ${seconds} s each, zstd level 3; ${phases.at(-1)?.bases} bases beside it`,
    columns: ['alone', 'beside bases'],
    rows: [
      row('lag, median', 's', share(0.5)),
      row('lag, 99th percentile', 's', share(0.99)),
      row('lag, most', 's', share(1)),
      row('transactions', '1/s', (phase) => phase.transactionsPerSecond),
      row('WAL', 'MiB/s', (phase) => phase.walBytesPerSecond / 2 ** 20),
      row('looks', '', (phase) => phase.lagsMs.length),
    ],
  };
}
