import type { InspectionFinding } from '../../source.ts';
import { readFilesGrant } from '../base/config-files.ts';
import type { PostgresConfig } from '../config.ts';
import { quoteIdentifier } from '../errors.ts';
import type { ServerState } from './server-state.ts';

type Judge = (state: ServerState, own: PostgresConfig) => InspectionFinding | undefined;

/** What stands in the way, what limits, and what is worth a line; each with the statement that mends it. */
export function judgeServer(state: ServerState, own: PostgresConfig): InspectionFinding[] {
  return JUDGES.map((judge) => judge(state, own)).filter((finding) => finding !== undefined);
}

const RESTART = 'then restart Postgres';

const managed: Judge = ({ managedBy }) =>
  managedBy === undefined
    ? undefined
    : {
        severity: 'refuse',
        code: 'managed-postgres',
        what: `${managedBy} gives no physical replication; method: shadow and dump are not there yet`,
        mend: 'protect: none with a reason (because: …) until they come, and keep the backups of the service',
      };

const walLevel: Judge = ({ settings }) =>
  settings.get('wal_level') !== 'minimal'
    ? undefined
    : {
        severity: 'refuse',
        code: 'wal-level-minimal',
        what: 'wal_level is minimal: its WAL is not enough for recovery',
        mend: `ALTER SYSTEM SET wal_level = 'replica'; ALTER SYSTEM SET max_wal_senders = 10;  -- ${RESTART}`,
      };

const replicationRight: Judge = ({ role }) =>
  role.mayReplicate
    ? undefined
    : {
        severity: 'refuse',
        code: 'no-replication-right',
        what: `role ${role.name} lacks the REPLICATION attribute`,
        mend: `ALTER ROLE ${quoteIdentifier(role.name)} REPLICATION;`,
      };

/** Streaming takes one, a base backup another one for its time. */
const walSenders: Judge = ({ settings, sendersInUse = 0 }) => {
  const most = Number(settings.get('max_wal_senders'));
  const free = most - sendersInUse;
  if (free >= 2) return undefined;
  return {
    severity: free === 0 ? 'refuse' : 'warn',
    code: 'wal-senders-few',
    what: `${sendersInUse} of ${most} WAL senders are in use; streaming and a base backup need 2`,
    mend: `ALTER SYSTEM SET max_wal_senders = ${most + 5};  -- ${RESTART}`,
  };
};

const slotsFree: Judge = ({ settings, slots }) => {
  const most = Number(settings.get('max_replication_slots'));
  if (slots === undefined || slots.ours || most - slots.inUse >= 1) return undefined;
  return {
    severity: 'refuse',
    code: 'no-free-slot',
    what: `${slots.inUse} of ${most} replication slots are in use`,
    mend: `ALTER SYSTEM SET max_replication_slots = ${most + 5};  -- ${RESTART}`,
  };
};

const slotBound: Judge = ({ settings }, own) => {
  const isUnbounded = settings.get('max_slot_wal_keep_size') === '-1';
  if (!isUnbounded) return undefined;
  return {
    severity: own.acceptUnboundedSlot ? 'warn' : 'refuse',
    code: 'slot-unbounded',
    what: "max_slot_wal_keep_size is -1: while Holdfast is away its slot could fill production's disk",
    mend: "ALTER SYSTEM SET max_slot_wal_keep_size = '20GB'; SELECT pg_reload_conf();  -- or acceptUnboundedSlot: true",
  };
};

const archive: Judge = ({ settings }) => {
  const mode = settings.get('archive_mode');
  return mode === undefined || mode === 'off'
    ? undefined
    : {
        severity: 'note',
        code: 'archive-mode',
        what: `archive_mode is ${mode}: the archive is left alone, and copies archive nothing`,
      };
};

const unlogged: Judge = ({ unloggedTables }) =>
  unloggedTables === 0
    ? undefined
    : {
        severity: 'warn',
        code: 'unlogged-tables',
        what: `${unloggedTables} unlogged ${unloggedTables === 1 ? 'table is' : 'tables are'} empty after a recovery (counted in this database alone)`,
        mend: "SELECT format('ALTER TABLE %s SET LOGGED;', oid::regclass) FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r' \\gexec",
      };

const checksums: Judge = ({ settings }) =>
  settings.get('data_checksums') !== 'off'
    ? undefined
    : {
        severity: 'warn',
        code: 'checksums-off',
        what: 'data_checksums is off: silent damage of a page on disk is captured unseen',
        mend: 'pg_checksums --enable -D <data directory>  -- with the server stopped',
      };

/** What a standby is set to says nothing of the WAL that it gets. */
const fullPageWrites: Judge = ({ settings, upstream }) =>
  upstream || settings.get('full_page_writes') !== 'off'
    ? undefined
    : {
        severity: 'warn',
        code: 'full-page-writes-off',
        what: 'full_page_writes is off: it is forced on while a base backup runs, and without it a crash of production can damage pages',
        mend: 'ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf();',
      };

const monitor: Judge = ({ role }) =>
  role.isMonitor || role.isSuperuser
    ? undefined
    : {
        severity: 'warn',
        code: 'not-monitor',
        what: `role ${role.name} is not in pg_monitor: size, WAL senders and paths can't all be seen`,
        mend: `GRANT pg_monitor TO ${quoteIdentifier(role.name)};`,
      };

const configOutside: Judge = ({ configOutside: files, role }) => {
  if (files.length === 0) return undefined;
  return {
    severity: 'note',
    code: 'config-outside',
    what: `configuration lies outside the data directory (${files.join(', ')}) and is captured with it${role.mayReadFiles ? '' : ' where the role may read it'}`,
    ...(role.mayReadFiles ? {} : { mend: readFilesGrant(role.name) }),
  };
};

const tablespaces: Judge = ({ tablespaces: found }) =>
  found.length === 0
    ? undefined
    : {
        severity: 'note',
        code: 'tablespaces',
        what: `${found.map(({ name }) => name).join(', ')}: captured; a recovery keeps tablespaces within its own data directory`,
      };

const memory: Judge = ({ settings }) => {
  const isHuge = settings.get('huge_pages') === 'on';
  const buffers = settings.get('shared_buffers');
  return {
    severity: 'note',
    code: 'copy-memory',
    what: `copies run with shared_buffers 128MB instead of ${buffers}${isHuge ? ', and without huge pages' : ''}`,
  };
};

const copyNeedsAlike: Judge = ({ extensions, collations }) => {
  const others = extensions.filter((extension) => !extension.startsWith('plpgsql '));
  const versions = collations.map(
    ({ provider, version }) => `${providerName(provider)} ${version}`,
  );
  if (others.length === 0 && versions.length === 0) return undefined;
  const parts = [
    ...(others.length > 0 ? [`extensions ${others.join(', ')}`] : []),
    ...(versions.length > 0 ? [`collations of ${[...new Set(versions)].join(', ')}`] : []),
  ];
  return {
    severity: 'note',
    code: 'copy-needs',
    what: `a host that recovers it needs the same: ${parts.join('; ')}`,
  };
};

function providerName(provider: string): string {
  if (provider === 'i') return 'ICU';
  return provider === 'c' ? 'glibc' : 'Postgres';
}

const JUDGES: readonly Judge[] = [
  managed,
  walLevel,
  replicationRight,
  walSenders,
  slotsFree,
  slotBound,
  monitor,
  archive,
  unlogged,
  checksums,
  fullPageWrites,
  configOutside,
  tablespaces,
  copyNeedsAlike,
  memory,
];
