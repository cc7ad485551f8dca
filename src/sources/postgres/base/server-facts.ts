import { parseSizeBytes } from '#base';
import { type ReplicationConnection, type SqlConnection, sqlState } from '../connection/index.ts';
import { errors } from '../errors.ts';

/** Shown in replication mode, so that a role with REPLICATION alone is enough. */
const SHOWN_SETTINGS = [
  'server_version',
  'wal_segment_size',
  'block_size',
  'segment_size',
  'data_checksums',
  'wal_level',
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
  'shared_preload_libraries',
  'shared_buffers',
  'huge_pages',
  'full_page_writes',
  'archive_mode',
  'data_directory',
  'config_file',
  'hba_file',
  'ident_file',
  'log_timezone',
  'timezone',
] as const;

export type ServerFacts = {
  systemIdentifier: string;
  settings: Record<string, string>;
  walSegmentSizeBytes: number;
  blockSizeBytes: number;
  segmentFileBytes: number;
  dataChecksums: boolean;
};

/** Settings that this role may not see are left out. */
export async function serverFacts(connection: ReplicationConnection): Promise<ServerFacts> {
  const [system] = await connection.query('IDENTIFY_SYSTEM');
  const settings: Record<string, string> = {};
  for (const name of SHOWN_SETTINGS) {
    const value = await show(connection, name);
    if (value !== undefined) settings[name] = value;
  }
  return {
    systemIdentifier: system?.systemid ?? '',
    settings,
    walSegmentSizeBytes: sizeSetting(settings, 'wal_segment_size'),
    blockSizeBytes: Number(settings.block_size),
    segmentFileBytes: sizeSetting(settings, 'segment_size'),
    dataChecksums: settings.data_checksums === 'on',
  };
}

/** What a copy needs alike on its host: undefined parts where this role or connection can't ask. */
export async function copyNeeds(sql: SqlConnection): Promise<Record<string, unknown>> {
  const databases = await sql.queryIfAllowed(
    `select datname as name, pg_encoding_to_char(encoding) as encoding,
            datcollate as collate, datctype as ctype
       from pg_database where datallowconn order by 1`,
  );
  const collations = await sql.queryIfAllowed(
    `select collname as name, collversion as version, collprovider as provider
       from pg_collation where collversion is not null and collnamespace <> 11 order by 1`,
  );
  const extensions = await sql.queryIfAllowed(
    'select extname as name, extversion as version from pg_extension order by 1',
  );
  const [build] =
    (await sql.queryIfAllowed<{ version: string }>('select version() as version')) ?? [];
  return { databases, collations, extensions, build: build?.version };
}

/**
 * A standby can't put whole pages into the WAL while it is copied: the primary must have done so since the standby's
 * last restart point.
 */
export async function hasPageWrites(sql: SqlConnection): Promise<boolean> {
  const rows = await sql.queryIfAllowed<{ on: boolean }>(
    'select full_page_writes as "on" from pg_control_checkpoint()',
  );
  return rows?.[0]?.on ?? true;
}

async function show(connection: ReplicationConnection, name: string): Promise<string | undefined> {
  try {
    const [row] = await connection.query(`SHOW ${name}`);
    return Object.values(row ?? {})[0] ?? undefined;
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    // insufficient_privilege: some settings are shown to pg_read_all_settings alone.
    if (sqlState(cause) === '42501') return undefined;
    throw error;
  }
}

/** `16MB`, `1GB`: Postgres' units are binary. */
function sizeSetting(settings: Record<string, string>, name: string): number {
  const text = settings[name] ?? '';
  const bytes = parseSizeBytes(
    text.replace(/([kMGT])B$/, (_all, unit) => `${unit.toUpperCase()}iB`),
  );
  if (bytes === undefined || bytes <= 0) throw errors.protocolBroken([`${name} is ${text}`]);
  return bytes;
}
