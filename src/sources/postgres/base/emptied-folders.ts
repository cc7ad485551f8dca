/** Folders of a data directory of which the content is worth nothing to another server (PostgreSQL: basebackup.c). */
export const EMPTIED_FOLDERS: ReadonlySet<string> = new Set([
  'pg_dynshmem',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
]);
