/** The same with WAL to replay, beside Postgres' own replay from a copy and an archive on the same disk. */
import fs from 'node:fs';
import path from 'node:path';
import { freePort } from '#base';
import { restoreTree } from '#recovery';
import { type TestServer, until } from '../../src/sources/postgres/test-server.ts';
import { asUser, measure, median } from '../measure.ts';
import type { BenchTable } from '../table.ts';
import { removeCopies, requestCopy, stopCopy, withClient } from './requests.ts';
import { grown, makeSubject, openHere, openPlace, type Subject } from './subject.ts';

const DATABASE_BYTES = 512 * 2 ** 20;
const WAL_BYTES = 256 * 2 ** 20;
const ROWS_AT_ONCE = 20_000;

export async function benchReplay(
  folder: string,
  runs: number,
  say: (line: string) => void,
): Promise<BenchTable> {
  const subject = await makeSubject(folder, DATABASE_BYTES, writeWal);
  const { server, made, location } = subject;
  try {
    await server.stop();
    const { expected } = await grown(folder, subject, subject.bytes);
    const place = await openPlace(folder, location, subject);
    const ours: number[] = [];
    const native: number[] = [];
    try {
      // Not counted: the mount service starts.
      await requestCopy(place, made.base.end.offset, expected);
      for (let run = 0; run < runs; run += 1) {
        const { wallMs, phases, state } = await requestCopy(place, made.atLsn, expected);
        await stopCopy(state);
        say(`with WAL: ${JSON.stringify(phases)}`);
        ours.push(wallMs);
        native.push(await replayNatively(folder, subject));
      }
    } finally {
      await removeCopies(place);
      await place.repository.close();
    }
    const values = [median(native) / 1000, median(ours) / 1000];
    return {
      title: `to an instant ${Math.round(made.journalBytes / 2 ** 20)} MiB of WAL behind the base: Postgres itself on a restored copy with an archive on the same disk (without the time to restore them), and a request for a copy; medians of ${runs}`,
      columns: ['native replay', 'holdfast'],
      rows: [
        {
          title: 'until it answers',
          unit: 's',
          values,
          ratios: [(values[1] as number) / (values[0] as number)],
        },
      ],
    };
  } finally {
    await server.remove();
    fs.rmSync(location, { recursive: true, force: true });
  }
}

/** Nothing that is needed may be recycled before the archive is made. */
async function writeWal(server: TestServer): Promise<void> {
  await server.sql("alter system set wal_keep_size = '4GB'", 'select pg_reload_conf()');
  const position = async () => {
    const [row] = await server.sql("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn as at");
    return Number(row?.at);
  };
  const [row] = await server.sql('select count(*) as rows from pgbench_accounts');
  const begun = await position();
  for (let first = 0; (await position()) - begun < WAL_BYTES; first += ROWS_AT_ONCE) {
    const from = first % Number(row?.rows);
    await server.sql(
      `update pgbench_accounts set abalance = abalance + 1 where aid between ${from} and ${from + ROWS_AT_ONCE}`,
    );
  }
}

/** ms from the start of the server until it takes connections. */
async function replayNatively(folder: string, subject: Subject): Promise<number> {
  const { server, made, location } = subject;
  const home = fs.mkdtempSync(path.join(folder, 'native-'));
  fs.chmodSync(home, 0o755);
  const target = path.join(home, 'data');
  const repository = await openHere(location);
  await repository.loadIndex();
  const { tree } = await repository.snapshots.load(made.base.snapshot);
  await restoreTree({ repository, tree, target });
  await repository.close();
  const archive = path.join(home, 'archive');
  fs.cpSync(path.join(server.dataDirectory, 'pg_wal'), archive, { recursive: true });
  fs.writeFileSync(path.join(target, 'recovery.signal'), '');
  await measure(['chown', '-R', `${server.user.uid}:${server.user.gid}`, home]);
  await measure(['chmod', '700', target]);
  const control = [path.join(server.binaries, 'pg_ctl'), '-D', target, '-w', '-s', '-t', '600'];
  const port = await freePort();
  const settings = [
    ...[`port=${port}`, 'fsync=off', 'shared_buffers=128MB', 'archive_mode=off'],
    ...[`restore_command=cp ${archive}/%f %p`, 'hot_standby=off'],
  ];
  const options = settings.map((setting) => `-c "${setting}"`).join(' ');
  const log = path.join(target, 'bench.log');
  const begun = performance.now();
  await measure(asUser(server.user, [...control, '-l', log, '-o', options, 'start']));
  // Without hot standby, pg_ctl takes a server that still replays for started.
  const url = server.url().replace(`:${server.port}/`, `:${port}/`);
  await until(() => answers(url), 'the end of the replay');
  const wallMs = performance.now() - begun;
  await measure(asUser(server.user, [...control, '-m', 'immediate', 'stop']));
  fs.rmSync(home, { recursive: true, force: true });
  return wallMs;
}

function answers(url: string): Promise<boolean> {
  return withClient(url, (client) => client.query('select 1')).then(
    () => true,
    () => false,
  );
}
