import fs from 'node:fs/promises';
import path from 'node:path';
import { entryExists } from '#base';
import { errors } from '../errors.ts';
import { AUTOMATIC_CONFIG } from './tree.ts';

/** A setting by which a server reaches out, and what it must be in a copy. */
type Expectation = { name: string; isSafe: (value: string) => boolean; fallback?: string };

export type IsolationRequest = {
  directory: string;
  configFolder: string;
  socketFolder: string;
};

/** Names that aren't settings: they have the server read another file (guc-file.l). */
const INCLUDES = new Set(['include', 'include_dir', 'include_if_exists']);
/** The one form in which settings of a copy are written: of all that Postgres takes the one that has one meaning. */
const SETTING = /^([A-Za-z_][\w.$]*) = '((?:[^'\\]|''|\\\\)*)'$/;

/**
 * Reads what a server would run with, as it reads it itself: a copy is started only when nothing leads outside of it. To
 * ask the server (`postgres -C`) is no surer, for whatever isn't plain here is refused, and takes a process for each setting.
 * @throws postgres/points-outside
 */
export async function checkIsolation(request: IsolationRequest): Promise<void> {
  // Read last, whatever configuration a server is given.
  const automatic = path.join(request.directory, AUTOMATIC_CONFIG);
  if (await entryExists(automatic)) throw errors.pointsOutside(['the configuration', automatic]);
  const settings = await readSettings(path.join(request.configFolder, 'postgresql.conf'));
  for (const { name, isSafe, fallback } of expectations(request)) {
    const value = settings.get(name) ?? fallback;
    if (value === undefined || !isSafe(value)) {
      throw errors.pointsOutside([`the setting ${name}`, value ?? '']);
    }
  }
}

/** By their names, which Postgres takes in any case; of several the last one counts. */
export async function readSettings(file: string): Promise<Map<string, string>> {
  const settings = new Map<string, string>();
  for (const line of (await fs.readFile(file, 'utf8')).trimEnd().split('\n')) {
    const [, name = '', quoted = ''] = SETTING.exec(line) ?? [];
    const key = name.toLowerCase();
    if (key === '' || INCLUDES.has(key)) throw errors.pointsOutside(['the configuration', line]);
    settings.set(
      key,
      quoted.replace(/''|\\\\/g, ([first]) => first as string),
    );
  }
  return settings;
}

function expectations(request: IsolationRequest): Expectation[] {
  const isEmpty = (value: string) => value === '';
  const isWithin = (folder: string) => (value: string) =>
    path.resolve(request.directory, value).startsWith(`${folder}/`);
  return [
    // Absent, it is the folder that the server is started on.
    {
      name: 'data_directory',
      isSafe: (value) => value === request.directory,
      fallback: request.directory,
    },
    { name: 'hba_file', isSafe: isWithin(request.configFolder) },
    { name: 'ident_file', isSafe: isWithin(request.configFolder) },
    { name: 'external_pid_file', isSafe: isEmpty },
    { name: 'unix_socket_directories', isSafe: (value) => value === request.socketFolder },
    { name: 'listen_addresses', isSafe: (value) => value === '127.0.0.1' },
    { name: 'log_directory', isSafe: isWithin(request.directory), fallback: 'log' },
    { name: 'archive_mode', isSafe: (value) => value === 'off' },
    { name: 'archive_command', isSafe: isEmpty },
    { name: 'primary_conninfo', isSafe: isEmpty },
    { name: 'synchronous_standby_names', isSafe: isEmpty },
    { name: 'max_logical_replication_workers', isSafe: (value) => value === '0' },
    { name: 'ssl', isSafe: (value) => value === 'off' },
  ];
}
