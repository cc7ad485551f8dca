/** pgbench on a copy that has been read once, beside the database itself with the same settings. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { median } from '../measure.ts';
import type { BenchRow, BenchTable } from '../table.ts';
import { removeCopies, requestCopy, urlOf, withClient } from './requests.ts';
import { grown, openPlace, type Subject } from './subject.ts';

const SECONDS = 8;
/** As the configuration of copies has them; a copy's commits are as durable as production's. */
const SETTINGS = { fsync: 'on', shared_buffers: '128MB', autovacuum: 'on', max_wal_size: '1GB' };

export async function benchWarm(
  folder: string,
  subject: Subject,
  runs: number,
): Promise<BenchTable> {
  const { server, location, made } = subject;
  const { expected } = await grown(folder, subject, subject.bytes);
  const place = await openPlace(folder, location, subject);
  try {
    const { state } = await requestCopy(place, made.base.end.offset, expected);
    await server.start();
    const settings = Object.entries(SETTINGS);
    await server.sql(...settings.map(([name, value]) => `alter system set ${name} = '${value}'`));
    await server.stop();
    await server.start();
    const urls = [server.url(), urlOf(state)];
    for (const url of urls) await readOnce(url);
    const rows: BenchRow[] = [];
    for (const script of ['select-only', 'tpcb-like']) {
      rows.push(rowOf(script, path.join(server.binaries, 'pgbench'), urls, runs));
    }
    return {
      title: `pgbench once all of it was read, 2 clients, ${SECONDS} s each by turns, fsync on; medians of ${runs}`,
      columns: ['native', 'copy'],
      rows,
    };
  } finally {
    await removeCopies(place);
    await place.repository.close();
    await server.stop();
  }
}

async function readOnce(url: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query('select sum(abalance) from pgbench_accounts');
    await client.query('set enable_seqscan = off');
    await client.query('select count(aid) from pgbench_accounts where aid > 0');
  });
}

function rowOf(script: string, pgbench: string, urls: readonly string[], runs: number): BenchRow {
  const rates = urls.map(() => [] as number[]);
  for (let run = 0; run < runs; run += 1) {
    for (const [at, url] of urls.entries()) rates[at]?.push(rateOf(script, pgbench, url));
  }
  const values = rates.map(median);
  const [native, copy] = values as [number, number];
  return { title: script, unit: 'transactions/s', values, ratios: [copy / native] };
}

function rateOf(script: string, pgbench: string, url: string): number {
  const { hostname, port, username, password, pathname } = new URL(url);
  const env = {
    ...process.env,
    ...{ PGHOST: hostname, PGPORT: port, PGUSER: username, PGPASSWORD: password },
    PGDATABASE: pathname.slice(1),
  };
  const words = ['-n', '-b', script, '-c', '2', '-j', '1', '-T', `${SECONDS}`];
  const { stdout, stderr } = spawnSync(pgbench, words, { env, encoding: 'utf8' });
  const rate = /^tps = ([\d.]+)/m.exec(stdout)?.[1];
  if (rate === undefined) throw new Error(`pgbench says: ${stderr.slice(-500)}`);
  return Number(rate);
}
