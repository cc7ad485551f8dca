/** A full backup of a running Postgres into Holdfast, by pg_basebackup and by pgBackRest, alternating. */
import fs from 'node:fs';
import path from 'node:path';
import type { TestServer } from '../src/sources/postgres/test-server.ts';
import { connectionOf, openDatabase } from './database.ts';
import { asUser, type Measured, measure, median, medianOf, sizeOf } from './measure.ts';
import { holdfast } from './peers.ts';
import { type BenchTable, ratio } from './table.ts';

const LEVEL = 3;

type Contender = {
  name: string;
  /** Not measured; `target` doesn't exist before. */
  prepare?(target: string): Promise<void>;
  command(target: string): readonly string[];
  env(target: string): Record<string, string>;
};

type Jobs = { runs: Measured[]; storedBytes: number[] };

function ours(server: TestServer, folder: string): Contender {
  const env = holdfast.env(folder);
  return {
    name: 'holdfast',
    prepare: async (target) => void (await measure(holdfast.init(target), env)),
    command: () => [process.execPath, path.join(import.meta.dirname, 'base-capture.ts')],
    env: (target) => ({
      BENCH_REPOSITORY: target,
      BENCH_PASSWORD: env.HOLDFAST_PASSWORD as string,
      BENCH_URL: server.url(),
      BENCH_STATE: folder,
    }),
  };
}

function pgBasebackup(server: TestServer, name: string, more: readonly string[]): Contender {
  const program = path.join(server.binaries, 'pg_basebackup');
  return {
    name,
    command: (target) => [program, '-D', target, '-X', 'fetch', '-c', 'fast', ...more],
    env: () => connectionOf(server),
  };
}

/** Runs as the server's user, because the server's archive_command writes into the same repository. */
function pgBackRest(server: TestServer, config: string): Contender {
  const env = { ...connectionOf(server), LC_ALL: 'C' };
  const words = (command: string, more: readonly string[] = []) =>
    asUser(server.user, ['pgbackrest', `--config=${config}`, '--stanza=bench', command, ...more]);
  return {
    name: 'pgbackrest',
    async prepare(target) {
      fs.mkdirSync(target);
      fs.chownSync(target, server.user.uid, server.user.gid);
      fs.writeFileSync(config, configOf(server, target), { mode: 0o644 });
      await measure(words('stanza-create'), env);
    },
    command: () => words('backup', ['--type=full', '--log-level-console=error']),
    env: () => env,
  };
}

function configOf(server: TestServer, repository: string): string {
  const spool = path.dirname(repository);
  return `[global]
repo1-path=${repository}
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=bench
repo1-retention-full=1
compress-type=zst
compress-level=${LEVEL}
process-max=2
start-fast=y
log-level-file=off
log-level-console=error
lock-path=${spool}/pgbackrest-lock
[bench]
pg1-path=${server.dataDirectory}
pg1-port=${server.port}
pg1-user=postgres
`;
}

async function once(contender: Contender, target: string, jobs: Jobs): Promise<void> {
  await contender.prepare?.(target);
  jobs.runs.push(await measure(contender.command(target), contender.env(target)));
  jobs.storedBytes.push(sizeOf(target));
  fs.rmSync(target, { recursive: true, force: true });
}

export async function benchBaseBackup(
  folder: string,
  bytes: number,
  runs: number,
): Promise<BenchTable> {
  const config = path.join(folder, 'pgbackrest.conf');
  const archive = `test ! -e ${config} || pgbackrest --config=${config} --stanza=bench archive-push %p`;
  const { server, bytes: databaseBytes } = await openDatabase(folder, bytes, {
    archive_mode: 'on',
    archive_command: archive,
  });
  try {
    fs.mkdirSync(path.join(folder, 'pgbackrest-lock'), { mode: 0o777 });
    fs.chmodSync(path.join(folder, 'pgbackrest-lock'), 0o777);
    const contenders = [
      ours(server, folder),
      pgBasebackup(server, 'pg_basebackup', []),
      pgBasebackup(server, 'pg_basebackup -z', ['-Ft', '-Z', `server-zstd:${LEVEL}`]),
      pgBackRest(server, config),
    ];
    const jobs = contenders.map((): Jobs => ({ runs: [], storedBytes: [] }));
    for (let run = 0; run < runs; run += 1) {
      for (const [at, contender] of contenders.entries()) {
        await once(contender, path.join(folder, `base-${at}`), jobs[at] as Jobs);
        // Else the server would go on archiving into what is gone.
        fs.rmSync(config, { force: true });
      }
    }
    return tableOf(contenders, jobs, databaseBytes, runs);
  } finally {
    await server.remove();
  }
}

function tableOf(
  contenders: readonly Contender[],
  jobs: readonly Jobs[],
  databaseBytes: number,
  runs: number,
): BenchTable {
  const row = (title: string, unit: string, pick: (of: Jobs) => number) => {
    const values = jobs.map(pick);
    const [first, ...others] = values as [number, ...number[]];
    return { title, unit, values, ratios: others.map((value) => ratio(value, first)) };
  };
  const size = Math.round(databaseBytes / 2 ** 20);
  return {
    title: `base backup of ${size} MiB on Postgres 15, zstd level ${LEVEL} (pg_basebackup without -z: none), medians of ${runs}`,
    columns: contenders.map(({ name }) => name),
    rows: [
      row('base backup, wall', 's', ({ runs }) => medianOf(runs).wallMs / 1000),
      row('stored', 'MiB', ({ storedBytes }) => median(storedBytes) / 2 ** 20),
    ],
  };
}
