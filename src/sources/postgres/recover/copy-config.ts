import fs from 'node:fs/promises';
import path from 'node:path';
import { isReachable } from '#base';

/** What the configuration of a copy is made of. */
export type CopyConfigRequest = {
  majorVersion: number;
  original: ReadonlyMap<string, string>;
  binaries: string;
  /** Folder for the files of the configuration. */
  configFolder: string;
  socketFolder: string;
  port: number;
  restoreCommand: string;
  recoveryTimeline: string;
};

/** Settings of production that change what applications see, or that recovery needs, and reach nowhere. */
const CARRIED = new Set([
  'array_nulls',
  'backslash_quote',
  'bytea_output',
  'check_function_bodies',
  'client_encoding',
  'constraint_exclusion',
  'datestyle',
  'deadlock_timeout',
  'default_statistics_target',
  'default_table_access_method',
  'default_text_search_config',
  'default_toast_compression',
  'default_transaction_deferrable',
  'default_transaction_isolation',
  'default_transaction_read_only',
  'effective_cache_size',
  'extra_float_digits',
  'gin_fuzzy_search_limit',
  'idle_in_transaction_session_timeout',
  'intervalstyle',
  'jit',
  'join_collapse_limit',
  'from_collapse_limit',
  'lc_messages',
  'lc_monetary',
  'lc_numeric',
  'lc_time',
  'lo_compat_privileges',
  'lock_timeout',
  'maintenance_work_mem',
  'max_connections',
  'max_locks_per_transaction',
  'max_pred_locks_per_transaction',
  'max_prepared_transactions',
  'max_worker_processes',
  'password_encryption',
  'plan_cache_mode',
  'quote_all_identifiers',
  'random_page_cost',
  'row_security',
  'search_path',
  'seq_page_cost',
  'standard_conforming_strings',
  'statement_timeout',
  'synchronize_seqscans',
  'timezone',
  'timezone_abbreviations',
  'track_commit_timestamp',
  'transform_null_equals',
  'work_mem',
  'xmlbinary',
  'xmloption',
]);

/** Preloaded libraries that start work of their own, against other servers or by a clock. */
const REACHING_OUT = new Set([
  'bdr',
  'pg_cron',
  'pg_failover_slots',
  'pg_partman_bgw',
  'pgactive',
  'pglogical',
  'repmgr',
  'spock',
  'wal2mongo',
]);

/** Settings of a copy that keep it to itself, whatever production says. */
function isolation(request: CopyConfigRequest): [string, string][] {
  const { configFolder, majorVersion } = request;
  const settings: [string, string][] = [
    ['hba_file', path.join(configFolder, 'pg_hba.conf')],
    ['ident_file', path.join(configFolder, 'pg_ident.conf')],
    ['listen_addresses', '127.0.0.1'],
    ['port', String(request.port)],
    ['unix_socket_directories', request.socketFolder],
    ['unix_socket_permissions', '0700'],
    ['external_pid_file', ''],
    ['ssl', 'off'],
    ['logging_collector', 'off'],
    ['log_destination', 'stderr'],
    ['archive_mode', 'off'],
    ['archive_command', ''],
    ['archive_cleanup_command', ''],
    ['recovery_end_command', ''],
    ['synchronous_standby_names', ''],
    ['primary_conninfo', ''],
    ['primary_slot_name', ''],
    ['max_logical_replication_workers', '0'],
    ['session_preload_libraries', ''],
    ['local_preload_libraries', ''],
    ['cron.launch_active_jobs', 'off'],
    ['wal_level', 'replica'],
    ['huge_pages', 'off'],
    ['shared_buffers', '128MB'],
  ];
  if (majorVersion < 15) settings.push(['stats_temp_directory', 'pg_stat_tmp']);
  if (majorVersion >= 15) {
    settings.push(['archive_library', '']);
    // A tablespace made while WAL is replayed is kept in the data directory.
    settings.push(['allow_in_place_tablespaces', 'on']);
  }
  if (majorVersion >= 17) settings.push(['sync_replication_slots', 'off']);
  return settings;
}

/** Recovery goes to the end of the WAL that is handed over, which is cut at the position, and then takes writes. */
function recovery(request: CopyConfigRequest): [string, string][] {
  const settings: [string, string][] = [
    ['restore_command', request.restoreCommand],
    ['recovery_target_timeline', request.recoveryTimeline],
    ['hot_standby', 'off'],
    // Nothing of a copy that isn't ready yet is worth a sync; it is made good when it is.
    ['fsync', 'off'],
  ];
  // All pages that changed since the base come whole in the WAL, before anything else does that concerns them. Looking
  // ahead, Postgres would have pages fetched that are about to be replaced: on a mount, most of what replay costs.
  const hasWholePages = isOn(request.original.get('full_page_writes') ?? 'on');
  if (request.majorVersion >= 15 && hasWholePages) settings.push(['recovery_prefetch', 'off']);
  return settings;
}

/** As a configuration file holds it (guc-file.l). */
export function quotedSetting(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** As Postgres reads a setting that is on or off. */
function isOn(value: string): boolean {
  return /^(on|t(r(ue?)?)?|y(es?)?|1)$/i.test(value);
}

/** Writes postgresql.conf, pg_hba.conf and pg_ident.conf of a copy. */
export async function writeCopyConfig(request: CopyConfigRequest): Promise<void> {
  const carried = [...request.original].filter(([name, value]) => isCarried(name, value));
  const preload = await keptLibraries(
    request.original.get('shared_preload_libraries') ?? '',
    request.binaries,
  );
  const settings: [string, string][] = [
    ...carried,
    ['shared_preload_libraries', preload.join(', ')],
    ...isolation(request),
    ...recovery(request),
  ];
  const lines = settings.map(([name, value]) => `${name} = ${quotedSetting(value)}\n`);
  const put = (name: string, text: string) =>
    fs.writeFile(path.join(request.configFolder, name), text, { mode: 0o600 });
  await put('postgresql.conf', lines.join(''));
  // `md5` takes passwords stored either way, and speaks SCRAM where they are stored so.
  await put('pg_hba.conf', 'local all all trust\nhost all all 127.0.0.1/32 md5\n');
  await put('pg_ident.conf', '');
}

function isCarried(name: string, value: string): boolean {
  if (value.includes('\n')) return false;
  if (CARRIED.has(name) || name.startsWith('enable_')) return true;
  // Settings of extensions and applications; what names a path or an address may reach somewhere.
  return name.includes('.') && !name.startsWith('cron.') && !/[/@]|:\d/.test(value);
}

/** The libraries that are installed here and do nothing by themselves. */
async function keptLibraries(setting: string, binaries: string): Promise<string[]> {
  const kept: string[] = [];
  for (const entry of setting.split(',')) {
    const name = entry
      .trim()
      .replace(/^"(.*)"$/, '$1')
      .replace(/^\$libdir\//, '');
    if (!/^[\w.-]+$/.test(name) || REACHING_OUT.has(name.replace(/\.so$/, ''))) continue;
    if (await isInstalled(name.replace(/\.so$/, ''), binaries)) kept.push(name);
  }
  return kept;
}

async function isInstalled(library: string, binaries: string): Promise<boolean> {
  for (const folder of ['../lib', '../lib/postgresql']) {
    for (const ending of ['.so', '.dylib']) {
      if (await isReachable(path.join(binaries, folder, library + ending))) return true;
    }
  }
  return false;
}
