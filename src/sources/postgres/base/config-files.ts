import path from 'node:path';
import type { SqlConnection } from '../connection/index.ts';
import { quoteIdentifier } from '../errors.ts';

export type ConfigFile = { absolutePath: string; content: Buffer };

export type ConfigFiles = {
  /** Outside the data directory, and so in no base backup. */
  files: ConfigFile[];
  /** Known of, but this role may not read them. */
  unreadable: string[];
  /** Within the data directory, by their path there: where one is a link, a base backup leaves it out. */
  inside: { path: string; content: Buffer | undefined }[];
  /** The statement that lets this role read them. */
  grant: string;
};

export const NO_CONFIG_FILES: ConfigFiles = { files: [], unreadable: [], inside: [], grant: '' };

const READ_FILE = 'pg_read_binary_file(text, bigint, bigint, boolean)';
const LIST_FOLDER = 'pg_ls_dir(text, boolean, boolean)';

/** The right to name any file, and to call the functions, which the first doesn't bring; in the database of the URL. */
export function readFilesGrant(role: string): string {
  const name = quoteIdentifier(role);
  return `GRANT pg_read_server_files TO ${name}; GRANT EXECUTE ON FUNCTION ${READ_FILE}, ${LIST_FOLDER} TO ${name};`;
}

/** An expression of SQL: the current role has these rights. */
export const MAY_READ_FILES = `(pg_has_role('pg_read_server_files', 'member')
  and has_function_privilege('${READ_FILE}', 'execute') and has_function_privilege('${LIST_FOLDER}', 'execute'))`;

/** A configuration file is read whole; what is larger than this is none. */
const LARGEST_BYTES = 4 * 2 ** 20;
/** Of all files together; a configuration that includes itself ends here too. */
const MOST_FILES = 500;

/** `include 'file'` of postgresql.conf, `include file` of pg_hba.conf. */
const INCLUDE =
  /^[ \t]*include(_if_exists|_dir)?(?:[ \t]*=[ \t]*|[ \t]+|(?='))(?:'([^'\n]+)'|"([^"\n]+)"|([^\s'"#]+))/gm;

/** Written by ALTER SYSTEM; always a plain file of the data directory. */
const AUTOMATIC = 'postgresql.auto.conf';

/** Files of which no setting is in force; and, from 16 on, what pg_hba.conf and pg_ident.conf include. */
const ASKED_AS_SUPERUSER = [
  'select distinct sourcefile as path from pg_file_settings',
  'select distinct file_name as path from pg_hba_file_rules',
  'select distinct file_name as path from pg_ident_file_mappings',
];

/** The configuration of a server: its three files, and whatever they include. */
export async function configFilesOf(sql: SqlConnection): Promise<ConfigFiles> {
  const directory = await dataDirectory(sql);
  if (directory === undefined) return NO_CONFIG_FILES;
  const [user] = await sql.query<{ name: string }>('select current_user as name');
  const grant = readFilesGrant(user?.name ?? '');
  const found: ConfigFiles = { files: [], unreadable: [], inside: [], grant };
  const named = new Set(await knownPaths(sql));
  const waiting = [...named];
  const seen = new Set(waiting);
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const content = await readConfig(sql, file);
    const within = pathWithin(directory, file);
    if (within !== undefined) {
      if (content !== 'absent') found.inside.push({ path: within, content });
    } else if (content === undefined) found.unreadable.push(file);
    else if (content !== 'absent') found.files.push({ absolutePath: file, content });
    else if (named.has(file)) found.unreadable.push(file);
    if (content === undefined || content === 'absent') continue;
    for (const included of await includedIn(sql, file, content, found.unreadable)) {
      if (seen.has(included) || seen.size >= MOST_FILES) continue;
      seen.add(included);
      waiting.push(included);
    }
  }
  found.files.sort((a, b) => (a.absolutePath < b.absolutePath ? -1 : 1));
  return found;
}

/** What lies outside the data directory, as far as the server tells without being read from. */
export async function configPathsOutside(sql: SqlConnection): Promise<string[]> {
  const directory = await dataDirectory(sql);
  if (directory === undefined) return [];
  const paths = await knownPaths(sql);
  return paths.filter((file) => pathWithin(directory, file) === undefined);
}

async function dataDirectory(sql: SqlConnection): Promise<string | undefined> {
  const [row] = await sql.query<{ path: string | null }>(
    "select max(setting) as path from pg_settings where name = 'data_directory'",
  );
  return row?.path || undefined;
}

/** Undefined outside. */
function pathWithin(directory: string, file: string): string | undefined {
  const inside = directory.replace(/\/*$/, '/');
  return file.startsWith(inside) ? file.slice(inside.length) : undefined;
}

/** Paths are settings that only pg_read_all_settings may see: without it none are known. */
async function knownPaths(sql: SqlConnection): Promise<string[]> {
  const rows = await sql.query<{ path: string | null }>(
    `select setting as path from pg_settings where name in ('config_file', 'hba_file', 'ident_file')
     union select sourcefile from pg_settings where sourcefile is not null`,
  );
  const found = rows.map((row) => row.path);
  for (const text of ASKED_AS_SUPERUSER) {
    const more = await sql.queryIfAllowed<{ path: string | null }>(text);
    found.push(...(more ?? []).map((row) => row.path));
  }
  const paths = found.filter((file) => file !== null).map((file) => path.normalize(file));
  return [...new Set(paths)]
    .filter((file) => path.isAbsolute(file) && path.basename(file) !== AUTOMATIC)
    .sort();
}

async function includedIn(
  sql: SqlConnection,
  file: string,
  content: Buffer,
  unreadable: string[],
): Promise<string[]> {
  const included: string[] = [];
  for (const [, kind, single, double, bare] of content.toString().matchAll(INCLUDE)) {
    const target = path.resolve(path.dirname(file), single ?? double ?? bare ?? '');
    if (kind !== '_dir') included.push(target);
    else {
      const names = await sql.queryIfAllowed<{ name: string }>(
        'select pg_ls_dir($1, true, false) as name',
        [target],
      );
      if (names === undefined) unreadable.push(target);
      const isRead = ({ name }: { name: string }) =>
        name.endsWith('.conf') && !name.startsWith('.');
      included.push(...(names ?? []).filter(isRead).map(({ name }) => path.join(target, name)));
    }
  }
  return included;
}

/** Undefined where this role may not read it. */
async function readConfig(
  sql: SqlConnection,
  file: string,
): Promise<Buffer | 'absent' | undefined> {
  const rows = await sql.queryIfAllowed<{ content: Buffer | null }>(
    'select pg_read_binary_file($1, 0, $2, true) as content',
    [file, LARGEST_BYTES],
  );
  return rows && (rows[0]?.content ?? 'absent');
}
