/** Recovery of a database to an instant, its journal replayed, against a plain restore of the same base by restic. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { freePort } from '#base';
import { type TestServer, until } from '../src/sources/postgres/test-server.ts';
import { openDatabase, pgbench } from './database.ts';
import { asUser, type Measured, measure, medianOf } from './measure.ts';
import { holdfastProgram, PASSWORD } from './peers.ts';
import { position, protect } from './protected.ts';
import { type BenchTable, ratio } from './table.ts';

const CLIENTS = 2;
/** A database of 1 GiB gets 64,000 transactions before the instant. */
const BYTES_PER_TRANSACTION = 16 * 1024;

type Protected = {
  snapshot: string;
  instant: string;
  /** Rows of pgbench_history at the instant: what a right recovery brings back. */
  historyRows: number;
  journalBytes: number;
};

export async function benchRecovery(
  folder: string,
  bytes: number,
  runs: number,
): Promise<BenchTable> {
  const { server, bytes: databaseBytes } = await openDatabase(folder, bytes);
  const location = path.join(folder, 'repository');
  try {
    const made = await protectWithInstant(server, location, folder, bytes);
    await server.stop();
    fs.writeFileSync(path.join(folder, 'holdfast.yaml'), yamlOf(location));
    const mounted: Measured[] = [];
    const recovered: Measured[] = [];
    const restored: Measured[] = [];
    for (let run = 0; run < runs; run += 1) {
      mounted.push(await recoverOnce(folder, server, made, []));
      recovered.push(await recoverOnce(folder, server, made, ['--full']));
      restored.push(await restoreOnce(folder, location, server, made.snapshot));
    }
    const values = [mounted, recovered, restored].map((of) => medianOf(of).wallMs / 1000);
    const [ours, ...theirs] = values as [number, number, number];
    return {
      title: `recovery of ${Math.round(databaseBytes / 2 ** 20)} MiB and ${Math.round(made.journalBytes / 2 ** 20)} MiB of journal to an instant, by a mount and with all of it written out first (--full), against the base alone restored and started (restic); zstd level 3, medians of ${runs}`,
      columns: ['holdfast', '--full', 'restic'],
      rows: [
        {
          title: 'until it answers, wall',
          unit: 's',
          values,
          ratios: theirs.map((their) => ratio(their, ours)),
        },
      ],
    };
  } finally {
    await server.remove();
    fs.rmSync(location, { recursive: true, force: true });
  }
}

/** Base, journal and an instant in the middle of the load, all shipped; nothing of Holdfast stays behind on the server. */
async function protectWithInstant(
  server: TestServer,
  location: string,
  folder: string,
  bytes: number,
): Promise<Protected> {
  const transactions = Math.max(100, Math.round(bytes / BYTES_PER_TRANSACTION / CLIENTS));
  const load = (count: number) => pgbench(server, ['-n', '-c', `${CLIENTS}`, '-t', `${count}`]);
  const made = { instant: '', historyRows: 0, journalBytes: 0 };
  const { base } = await protect(server, location, folder, async () => {
    const from = await position(server);
    await load(transactions);
    const [row] = await server.sql(
      `select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, count(*)::int as rows from pgbench_history`,
    );
    const journalBytes = Number((await position(server)) - from);
    Object.assign(made, { instant: String(row?.at), historyRows: Number(row?.rows), journalBytes });
    // Recovery ends before the first later commit: the load after it must not fall into the same millisecond.
    await until(async () => Date.now() > Date.parse(String(row?.at)) + 10, 'the instant to pass');
    await load(Math.ceil(transactions / 10));
  });
  return { snapshot: base.snapshot, ...made };
}

const yamlOf = (location: string) => `apiVersion: holdfast/v1
name: bench
stage: production
repository: {url: "${location}", password: "\${HOLDFAST_PASSWORD}"}
stores:
  database: {type: postgres, url: "\${BENCH_URL}", protect: continuous}
`;

async function recoverOnce(
  folder: string,
  server: TestServer,
  made: Protected,
  more: readonly string[],
): Promise<Measured> {
  const place = [
    '-f',
    path.join(folder, 'holdfast.yaml'),
    '--target',
    path.join(folder, 'recoveries'),
  ];
  const env = {
    HOLDFAST_PASSWORD: PASSWORD,
    BENCH_URL: server.url(),
  };
  const command = [holdfastProgram, 'recover', '--to', made.instant, ...more, ...place];
  const measured = await measure(command, env);
  const tell = (...words: string[]) =>
    execFileSync(holdfastProgram, [...words, ...place, '--json'], {
      env: { ...process.env, ...env },
      encoding: 'utf8',
    });
  const { recoveries } = JSON.parse(tell('recovery', 'list'));
  const { id, stores } = recoveries.at(-1);
  try {
    await expectRows(server, Number(new URL(stores[0].url).port), made.historyRows);
  } finally {
    tell('recovery', 'remove', id, '--yes');
  }
  return measured;
}

/** The copy has production's passwords, which the list of recoveries doesn't show. */
async function expectRows(server: TestServer, port: number, wanted: number): Promise<void> {
  const client = new pg.Client({
    ...{ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' },
    password: server.password,
  });
  await client.connect();
  try {
    const { rows } = await client.query('select count(*)::int as rows from pgbench_history');
    if (rows[0].rows !== wanted) throw new Error(`${rows[0].rows} rows came back, not ${wanted}`);
  } finally {
    await client.end();
  }
}

/** restic restores the base with the WAL that makes it whole; Postgres starts on it. */
async function restoreOnce(
  folder: string,
  location: string,
  server: TestServer,
  snapshot: string,
): Promise<Measured> {
  // The snapshot's own root is the data directory; restic makes a target only as whom it runs.
  const target = path.join(folder, 'restored');
  fs.mkdirSync(target, { mode: 0o700 });
  if (!server.user.isCurrent) fs.chownSync(target, server.user.uid, server.user.gid);
  const restored = await measure(
    ['restic', '-q', '--no-cache', '-r', location, 'restore', snapshot, '--target', target],
    { RESTIC_PASSWORD: PASSWORD },
  );
  const control = [path.join(server.binaries, 'pg_ctl'), '-D', target, '-w', '-s'];
  const settings = `-c port=${await freePort()} -c archive_mode=off`;
  const log = path.join(target, 'bench.log');
  try {
    const started = await measure(
      asUser(server.user, [...control, '-l', log, '-o', settings, 'start']),
    );
    return { ...restored, wallMs: restored.wallMs + started.wallMs };
  } finally {
    await measure(asUser(server.user, [...control, '-m', 'immediate', 'stop']));
    fs.rmSync(target, { recursive: true, force: true });
  }
}
