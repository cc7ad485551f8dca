/** Backups of a running Postgres into Holdfast, by pg_basebackup and by pgBackRest, alternating: a first, and one more. */
import fs from 'node:fs';
import path from 'node:path';
import { makePassword } from '#base';
import type { TestServer } from '../src/sources/postgres/test-server.ts';
import { connectionOf, openDatabase, pgbench } from './database.ts';
import { asUser, type Measured, measure, median, medianOf, sizeOf } from './measure.ts';
import { holdfast } from './peers.ts';
import { type BenchTable, ratio } from './table.ts';

/** What pgBackRest and pg_basebackup compress with; ours is at the repository's level, 3. */
const LEVEL = 1;
const LOAD_SECONDS = 5;

/** `again`: the database has changed since the first one, which is still there. */
type Turn = 'first' | 'again';

type Contender = {
  name: string;
  /** Before the first one, not measured; `target` doesn't exist before. */
  prepare?(target: string): Promise<void>;
  /** Before and after each, not measured. */
  begin?(target: string): void;
  end?(): void;
  command(target: string, turn: Turn): readonly string[];
  env(target: string): Record<string, string>;
};

type Jobs = Record<Turn, { runs: Measured[]; storedBytes: number[] }>;

function ours(server: TestServer, folder: string): Contender {
  // As `holdfast init` makes it for a control plane.
  const password = makePassword();
  // As `bin/holdfast` starts Node.
  const flags = ['--max-semi-space-size=8', '--min-semi-space-size=8'];
  const words = [...flags, path.join(import.meta.dirname, 'base-capture.ts')];
  const command = [process.execPath, ...words];
  const node = { NODE_COMPILE_CACHE: path.join(folder, 'compiled'), UV_THREADPOOL_SIZE: '16' };
  return {
    name: 'holdfast',
    async prepare(target) {
      await measure(holdfast.init(target), { HOLDFAST_PASSWORD: password });
      // Without a word of what to do it ends at once, but what it is made of is compiled.
      await measure(command, node, 1);
    },
    command: () => command,
    env: (target) => ({
      ...node,
      BENCH_REPOSITORY: target,
      BENCH_PASSWORD: password,
      BENCH_URL: server.url(),
      BENCH_STATE: folder,
    }),
  };
}

function pgBasebackup(server: TestServer, name: string, more: readonly string[]): Contender {
  const program = path.join(server.binaries, 'pg_basebackup');
  return {
    name,
    command: (target, turn) => [
      program,
      ...['-D', path.join(target, turn), '-X', 'fetch', '-c', 'fast', ...more],
    ],
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
      this.begin?.(target);
      await measure(words('stanza-create'), env);
    },
    begin: (target) => fs.writeFileSync(config, configOf(server, target), { mode: 0o644 }),
    // The server archives only while there is one: the others aren't to be slowed down by it.
    end: () => fs.rmSync(config, { force: true }),
    command: (_target, turn) =>
      words('backup', [
        `--type=${turn === 'first' ? 'full' : 'incr'}`,
        '--log-level-console=error',
      ]),
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

async function once(contender: Contender, target: string, turn: Turn, jobs: Jobs): Promise<void> {
  if (turn === 'first') await contender.prepare?.(target);
  contender.begin?.(target);
  const before = fs.existsSync(target) ? sizeOf(target) : 0;
  jobs[turn].runs.push(await measure(contender.command(target, turn), contender.env(target)));
  jobs[turn].storedBytes.push(sizeOf(target) - before);
  contender.end?.();
}

const noJobs = (): Jobs => ({
  first: { runs: [], storedBytes: [] },
  again: { runs: [], storedBytes: [] },
});

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
    const jobs = contenders.map(noJobs);
    const targets = contenders.map((_, at) => path.join(folder, `base-${at}`));
    for (let run = 0; run < runs; run += 1) {
      for (const turn of ['first', 'again'] as const) {
        if (turn === 'again') await changeSome(server);
        for (const [at, contender] of contenders.entries()) {
          await once(contender, targets[at] as string, turn, jobs[at] as Jobs);
        }
      }
      for (const target of targets) fs.rmSync(target, { recursive: true, force: true });
    }
    return tableOf(contenders, jobs, databaseBytes, runs);
  } finally {
    await server.remove();
  }
}

async function changeSome(server: TestServer): Promise<void> {
  await pgbench(server, ['-n', '-c', '4', '-T', `${LOAD_SECONDS}`]);
  await server.sql('checkpoint');
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
  const rows = (turn: Turn, name: string) => [
    row(`${name}, wall`, 's', (of) => medianOf(of[turn].runs).wallMs / 1000),
    row(`${name}, processor`, 's', (of) => medianOf(of[turn].runs).cpuMs / 1000),
    row(`${name}, stored`, 'MiB', (of) => median(of[turn].storedBytes) / 2 ** 20),
  ];
  const size = Math.round(databaseBytes / 2 ** 20);
  return {
    title: `base backup of ${size} MiB on Postgres 15, zstd for pages (pgBackRest, pg_basebackup -z: ${LEVEL}; pg_basebackup: none), a password as \`holdfast init\` makes it, medians of ${runs}`,
    columns: contenders.map(({ name }) => name),
    rows: [
      ...rows('first', 'first base'),
      ...rows('again', `again after ${LOAD_SECONDS} s of pgbench (pgBackRest: incremental)`),
    ],
  };
}
