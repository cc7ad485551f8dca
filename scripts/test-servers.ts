/** Installs the Debian packages that tests and benchmarks need and that aren't there yet. Fails under CI, warns else. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';

/** A package, and a file by which one sees that it is there. */
const NEEDED: readonly (readonly [name: string, file: string])[] = [
  ['postgresql-15', '/usr/lib/postgresql/15/bin/postgres'],
  ['postgresql-15-cron', '/usr/lib/postgresql/15/lib/pg_cron.so'],
  ['restic', '/usr/bin/restic'],
  ['borgbackup', '/usr/bin/borg'],
  ['pgbackrest', '/usr/bin/pgbackrest'],
  ['attr', '/usr/bin/setfattr'],
  ['util-linux', '/usr/bin/setpriv'],
  ['fuse3', '/usr/bin/fusermount3'],
  ['fio', '/usr/bin/fio'],
  ['acl', '/usr/bin/setfacl'],
  ['ceph-mon', '/usr/bin/ceph-mon'],
  ['ceph-osd', '/usr/bin/ceph-osd'],
  ['radosgw', '/usr/bin/radosgw'],
];

function missing(): string[] {
  return NEEDED.filter(([, file]) => !fs.existsSync(file)).map(([name]) => name);
}

function runAptGet(words: readonly string[]): boolean {
  const isRoot = process.getuid?.() === 0;
  const [command, ...rest] = isRoot ? ['apt-get', ...words] : ['sudo', '-n', 'apt-get', ...words];
  const result = spawnSync(command as string, rest, {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  return result.status === 0;
}

/** Debian starts a cluster of its own when Postgres is installed; the tests bring theirs. */
function keepPostgresFromStarting(): void {
  const folder = '/etc/postgresql-common';
  const file = `${folder}/createcluster.conf`;
  if (process.getuid?.() !== 0 || fs.existsSync(file)) return;
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(file, 'create_main_cluster = false\n');
}

function installMissing(): void {
  const packages = missing();
  if (packages.length === 0) return;
  process.stderr.write(`Installing for the tests: ${packages.join(', ')}…\n`);
  keepPostgresFromStarting();
  runAptGet(['update', '-qq']);
  runAptGet([
    ...['install', '-y', '-qq', '--no-install-recommends', '-o', 'Dpkg::Options::=--force-confold'],
    ...packages,
  ]);
  const left = missing();
  if (left.length === 0) return;
  process.stderr.write(
    `Not installed: ${left.join(', ')}. Run: apt-get install ${left.join(' ')}\n`,
  );
  if (process.env.CI) process.exit(1);
}

installMissing();
