import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { errors } from '../errors.ts';
import { type OsUser, runAs } from './os-user.ts';

const execute = promisify(execFile);

/** Settings by which a server reaches out, and what each must be in a copy. */
type Expectation = { name: string; isSafe: (value: string) => boolean };

export type IsolationRequest = {
  binaries: string;
  directory: string;
  configFolder: string;
  socketFolder: string;
  user: OsUser;
};

/**
 * Asks the server itself (`postgres -C`) what it would run with, after all files and includes: a copy is started only
 * when nothing leads outside of it.
 * @throws postgres/points-outside
 */
export async function checkIsolation(request: IsolationRequest): Promise<void> {
  const all = expectations(request);
  const half = Math.ceil(all.length / 2);
  await Promise.all([
    checkSettings(request, all.slice(0, half)),
    checkSettings(request, all.slice(half)),
  ]);
}

async function checkSettings(
  request: IsolationRequest,
  expected: readonly Expectation[],
): Promise<void> {
  const values = await effectiveValues(
    request,
    expected.map(({ name }) => name),
  );
  expected.forEach(({ name, isSafe }, at) => {
    const value = values[at];
    if (value === undefined || !isSafe(value)) {
      throw errors.pointsOutside([`the setting ${name}`, value ?? '']);
    }
  });
}

function expectations(request: IsolationRequest): Expectation[] {
  const isEmpty = (value: string) => value === '' || value === '(disabled)';
  const isWithin = (folder: string) => (value: string) =>
    path.resolve(request.directory, value).startsWith(`${folder}/`);
  return [
    { name: 'data_directory', isSafe: (value) => value === request.directory },
    { name: 'hba_file', isSafe: isWithin(request.configFolder) },
    { name: 'ident_file', isSafe: isWithin(request.configFolder) },
    { name: 'external_pid_file', isSafe: isEmpty },
    { name: 'unix_socket_directories', isSafe: (value) => value === request.socketFolder },
    { name: 'listen_addresses', isSafe: (value) => value === '127.0.0.1' },
    { name: 'log_directory', isSafe: isWithin(request.directory) },
    { name: 'archive_mode', isSafe: (value) => value === 'off' },
    { name: 'archive_command', isSafe: isEmpty },
    { name: 'primary_conninfo', isSafe: isEmpty },
    { name: 'synchronous_standby_names', isSafe: isEmpty },
    { name: 'max_logical_replication_workers', isSafe: (value) => value === '0' },
    { name: 'ssl', isSafe: (value) => value === 'off' },
  ];
}

/** The server tells one setting a call: a shell that calls it often costs less than as many children of a large process. */
const ASK_EACH = `postgres=$1 directory=$2 config=$3
shift 3
for name; do
  "$postgres" -D "$directory" -c "config_file=$config" -C "$name" || exit
  printf '\\0'
done`;

async function effectiveValues(
  { binaries, directory, configFolder, user }: IsolationRequest,
  names: readonly string[],
): Promise<string[]> {
  const postgres = path.join(binaries, 'postgres');
  const config = path.join(configFolder, 'postgresql.conf');
  const { stdout } = await execute(
    '/bin/sh',
    ['-c', ASK_EACH, 'ask-each', postgres, directory, config, ...names],
    { ...runAs(user), cwd: '/' },
  );
  return stdout.split('\0').map((value) => value.replace(/\n$/, ''));
}
