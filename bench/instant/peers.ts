/** What instant recovery replaces: all of the same database written out by restic and by pgBackRest, and started. */
import fs from 'node:fs';
import path from 'node:path';
import { freePort } from '#base';
import { asUser, measure } from '../measure.ts';
import { PASSWORD } from '../peers.ts';
import type { BenchTable } from '../table.ts';
import type { Subject } from './subject.ts';

export async function benchFullRestores(folder: string, subject: Subject): Promise<BenchTable> {
  const restic = await restored(folder, subject, resticRestore);
  const pgBackRest = await restored(folder, subject, await pgBackRestOf(folder, subject));
  return {
    title: `all of ${Math.round(subject.bytes / 2 ** 20)} MiB written out and started, from local storage`,
    columns: ['restic', 'pgbackrest'],
    rows: [
      {
        title: 'until it answers',
        unit: 's',
        values: [restic, pgBackRest],
        ratios: [pgBackRest / restic],
      },
    ],
  };
}

/** Writes all of it into the folder, which is there and empty. */
type Restore = (target: string, subject: Subject) => Promise<unknown>;

/** s. */
async function restored(folder: string, subject: Subject, restore: Restore): Promise<number> {
  const { server } = subject;
  const home = fs.mkdtempSync(path.join(folder, 'full-'));
  fs.chmodSync(home, 0o755);
  const target = path.join(home, 'data');
  fs.mkdirSync(target, { mode: 0o700 });
  fs.chownSync(target, server.user.uid, server.user.gid);
  const control = [path.join(server.binaries, 'pg_ctl'), '-D', target, '-w', '-s', '-t', '600'];
  const settings = `-c port=${await freePort()} -c archive_mode=off`;
  const log = path.join(target, 'bench.log');
  const begun = performance.now();
  await restore(target, subject);
  await measure(asUser(server.user, [...control, '-l', log, '-o', settings, 'start']));
  const tookMs = performance.now() - begun;
  await measure(asUser(server.user, [...control, '-m', 'immediate', 'stop']));
  fs.rmSync(home, { recursive: true, force: true });
  return tookMs / 1000;
}

const resticRestore: Restore = (target, { location, made }) =>
  measure(
    [
      'restic',
      '-q',
      '--no-cache',
      '-r',
      location,
      'restore',
      made.base.snapshot,
      '--target',
      target,
    ],
    { RESTIC_PASSWORD: PASSWORD },
  );

/** Its backup is of the stopped server, compressed and encrypted as ours. */
async function pgBackRestOf(folder: string, { server }: Subject): Promise<Restore> {
  const home = fs.mkdtempSync(path.join(folder, 'pgbackrest-'));
  fs.chownSync(home, server.user.uid, server.user.gid);
  const config = path.join(home, 'pgbackrest.conf');
  fs.writeFileSync(
    config,
    `[global]
repo1-path=${home}/repository
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=${PASSWORD}
repo1-retention-full=1
compress-type=zst
compress-level=3
process-max=2
log-level-file=off
log-level-console=error
lock-path=${home}/lock
[bench]
pg1-path=${server.dataDirectory}
`,
    { mode: 0o644 },
  );
  const run = (...words: string[]) =>
    measure(asUser(server.user, ['pgbackrest', `--config=${config}`, '--stanza=bench', ...words]), {
      LC_ALL: 'C',
    });
  await run('--no-online', 'stanza-create');
  await run('--no-online', '--type=full', 'backup');
  return (target) => run(`--pg1-path=${target}`, '--type=none', 'restore');
}
