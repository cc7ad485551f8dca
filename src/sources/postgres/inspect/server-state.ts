import { configPathsOutside, MAY_READ_FILES } from '../base/config-files.ts';
import { hasPageWrites } from '../base/server-facts.ts';
import type { SqlConnection } from '../connection/index.ts';
import { readUpstream, type Upstream } from '../wal/upstream.ts';

/** What `plan` wants to know of a server; undefined where this role may not ask. */
export type ServerState = {
  settings: ReadonlyMap<string, string>;
  /** What it knows of its primary; undefined where it isn't a standby. */
  upstream: Upstream | undefined;
  /** Whether a base can be taken of it, as far as whole pages in the WAL go. */
  hasPageWrites: boolean;
  role: {
    name: string;
    isSuperuser: boolean;
    mayReplicate: boolean;
    isMonitor: boolean;
    /** Configuration outside the data directory can be read. */
    mayReadFiles: boolean;
  };
  sendersInUse: number | undefined;
  slots: { inUse: number; ours: boolean } | undefined;
  storeBytes: number | undefined;
  walBytes: number | undefined;
  unloggedTables: number;
  tablespaces: { name: string; location: string }[];
  extensions: string[];
  /** Configuration outside the data directory, as far as this role may see. */
  configOutside: string[];
  collations: { provider: string; version: string | null }[];
  /** Name of the managed service, where its marks are found. */
  managedBy: string | undefined;
  version: string;
};

const SETTINGS = [
  'archive_mode',
  'block_size',
  'config_file',
  'data_checksums',
  'data_directory',
  'full_page_writes',
  'hba_file',
  'huge_pages',
  'ident_file',
  'max_replication_slots',
  'max_slot_wal_keep_size',
  'max_wal_senders',
  'server_version',
  'shared_buffers',
  'shared_preload_libraries',
  'ssl',
  'ssl_library',
  'synchronous_commit',
  'synchronous_standby_names',
  'wal_level',
  'wal_segment_size',
];

/** Roles and settings that only a managed service has. */
const MANAGED_MARKS: [string, string][] = [
  ['rds_superuser', 'Amazon RDS'],
  ['cloudsqlsuperuser', 'Google Cloud SQL'],
  ['alloydbsuperuser', 'Google AlloyDB'],
  ['azure_pg_admin', 'Azure Database for PostgreSQL'],
  ['neon_superuser', 'Neon'],
  ['supabase_admin', 'Supabase'],
];

export async function readServerState(sql: SqlConnection, slot: string): Promise<ServerState> {
  const [facts] = await sql.query<{ version: string }>('select version() as version');
  const upstream = await readUpstream(sql);
  return {
    settings: await readSettings(sql),
    upstream: upstream.isStandby ? upstream : undefined,
    hasPageWrites: !upstream.isStandby || (await hasPageWrites(sql)),
    version: facts?.version ?? '',
    role: await readRole(sql),
    sendersInUse: await readCount(
      sql,
      "select count(*)::int as n from pg_stat_activity where backend_type = 'walsender'",
    ),
    slots: await readSlots(sql, slot),
    storeBytes: await readBytes(
      sql,
      'select sum(pg_database_size(oid))::text as n from pg_database',
    ),
    walBytes: await readBytes(sql, 'select sum(size)::text as n from pg_ls_waldir()'),
    unloggedTables:
      (await readCount(
        sql,
        "select count(*)::int as n from pg_class where relpersistence = 'u' and relkind in ('r', 'm')",
      )) ?? 0,
    tablespaces:
      (await sql.queryIfAllowed<{ name: string; location: string }>(
        `select spcname as name, pg_tablespace_location(oid) as location from pg_tablespace
          where spcname not in ('pg_default', 'pg_global') order by 1`,
      )) ?? [],
    extensions: await readExtensions(sql),
    configOutside: await configPathsOutside(sql),
    collations:
      (await sql.queryIfAllowed<{ provider: string; version: string | null }>(
        `select distinct collprovider as provider, collversion as version from pg_collation
          where collversion is not null order by 1, 2`,
      )) ?? [],
    managedBy: await readManaged(sql),
  };
}

async function readSettings(sql: SqlConnection): Promise<Map<string, string>> {
  const rows = await sql.query<{ name: string; value: string }>(
    'select name, current_setting(name) as value from pg_settings where name = any($1)',
    [SETTINGS],
  );
  return new Map(rows.map(({ name, value }) => [name, value]));
}

async function readRole(sql: SqlConnection): Promise<ServerState['role']> {
  const [role] = await sql.query<ServerState['role']>(
    `select rolname as name, rolsuper as "isSuperuser", rolreplication or rolsuper as "mayReplicate",
            pg_has_role(rolname, 'pg_monitor', 'member') as "isMonitor",
            ${MAY_READ_FILES} as "mayReadFiles"
       from pg_roles where rolname = current_user`,
  );
  const rights = { isSuperuser: false, mayReplicate: false, isMonitor: false, mayReadFiles: false };
  return role ?? { name: '', ...rights };
}

async function readSlots(
  sql: SqlConnection,
  slot: string,
): Promise<{ inUse: number; ours: boolean } | undefined> {
  const rows = await sql.queryIfAllowed<{ inUse: number; ours: boolean }>(
    `select count(*)::int as "inUse", coalesce(bool_or(slot_name = $1), false) as ours
       from pg_replication_slots`,
    [slot],
  );
  return rows?.[0];
}

async function readExtensions(sql: SqlConnection): Promise<string[]> {
  const rows = await sql.queryIfAllowed<{ extension: string }>(
    "select extname || ' ' || extversion as extension from pg_extension order by 1",
  );
  return rows?.map((row) => row.extension) ?? [];
}

async function readManaged(sql: SqlConnection): Promise<string | undefined> {
  const rows = await sql.query<{ name: string }>(
    `select rolname as name from pg_roles where rolname = any($1)
     union select name from pg_settings where name in ('rds.extensions', 'cloudsql.iam_authentication', 'azure.extensions')`,
    [MANAGED_MARKS.map(([name]) => name)],
  );
  const found = rows[0]?.name;
  if (found === undefined) return undefined;
  const service = MANAGED_MARKS.find(
    ([name]) => name === found || found.startsWith(name.split('_', 1)[0] as string),
  );
  return service?.[1] ?? 'a managed service';
}

async function readCount(sql: SqlConnection, text: string): Promise<number | undefined> {
  const rows = await sql.queryIfAllowed<{ n: number }>(text);
  return rows?.[0]?.n;
}

async function readBytes(sql: SqlConnection, text: string): Promise<number | undefined> {
  const rows = await sql.queryIfAllowed<{ n: string | null }>(text);
  const bytes = rows?.[0]?.n;
  return bytes === null || bytes === undefined ? undefined : Number(bytes);
}
