import path from 'node:path';
import type { SqlConnection } from '../connection/index.ts';

export type ConfigFile = { absolutePath: string; content: Buffer };

export type ConfigFiles = {
  files: ConfigFile[];
  /** Known of, but this role may not read them. */
  unreadable: string[];
};

/** A configuration file is read whole; what is larger than this is none. */
const LARGEST_BYTES = 4 * 2 ** 20;

/** The configuration that lies outside the data directory, and so isn't in a base backup. */
export async function configFilesOutside(sql: SqlConnection): Promise<ConfigFiles> {
  const found: ConfigFiles = { files: [], unreadable: [] };
  for (const absolutePath of await pathsOutside(sql)) {
    const content = await readConfig(sql, absolutePath);
    if (content === undefined) found.unreadable.push(absolutePath);
    else found.files.push({ absolutePath, content });
  }
  return found;
}

/** Paths are settings that only pg_read_all_settings may see: without it none are known. */
async function pathsOutside(sql: SqlConnection): Promise<string[]> {
  const rows = await sql.query<{ path: string | null }>(
    `select setting as path from pg_settings where name in ('config_file', 'hba_file', 'ident_file')
     union select sourcefile from pg_settings where sourcefile is not null`,
  );
  const [directory] = await sql.query<{ path: string | null }>(
    "select max(setting) as path from pg_settings where name = 'data_directory'",
  );
  if (!directory?.path) return [];
  const inside = directory.path.replace(/\/*$/, '/');
  return rows
    .flatMap(({ path: file }) => (file === null || file === '' ? [] : [file]))
    .filter((file) => path.isAbsolute(file) && !file.startsWith(inside))
    .sort();
}

async function readConfig(sql: SqlConnection, file: string): Promise<Buffer | undefined> {
  const rows = await sql.queryIfAllowed<{ content: Buffer | null }>(
    'select pg_read_binary_file($1, 0, $2, true) as content',
    [file, LARGEST_BYTES],
  );
  return rows?.[0]?.content ?? undefined;
}
