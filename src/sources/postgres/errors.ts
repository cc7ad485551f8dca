/** What can go wrong with a Postgres store. Statements in the guidance are exact: they can be pasted. */
import { closest, errorCatalogue } from '#base';

export const errors = errorCatalogue('postgres', {
  // ---------------------------------------------------------------- the address
  urlInvalid: {
    kind: 'invalid',
    message: (what: string) => `the Postgres URL can't be used: ${what}`,
    guidance:
      'Write it as postgresql://user:password@host:5432/database, with TLS in the query (?sslmode=verify-full&sslrootcert=/path/ca.crt).',
  },
  certificateUnreadable: {
    kind: 'invalid',
    message: (parameter: string, file: string) => `${parameter}: ${file} can't be read`,
    guidance: 'Name a PEM file that the user running Holdfast may read.',
  },

  // ---------------------------------------------------------------- reaching it
  unreachable: {
    kind: 'failed',
    retryable: true,
    message: (address: string, why: string) => `Postgres at ${address} can't be reached: ${why}`,
    guidance: 'Check host, port, firewall and listen_addresses of the server.',
  },
  tlsFailed: {
    kind: 'failed',
    message: (address: string, why: string) => `no trusted TLS connection to ${address}: ${why}`,
    guidance:
      'Check sslmode and sslrootcert in the URL against the certificate of the server (verify-full wants the host name in it).',
  },
  connectionLost: {
    kind: 'failed',
    retryable: true,
    message: (why: string) => `the connection to Postgres was lost: ${why}`,
    guidance: 'It is tried again by itself; look at the server and the network if it stays so.',
  },
  startingUp: {
    kind: 'failed',
    retryable: true,
    message: (address: string, why: string) =>
      `Postgres at ${address} takes no connections: ${why}`,
    guidance:
      'It is starting, stopping or recovering: try again when it is up. A standby takes connections only with hot_standby = on.',
  },
  versionUnsupported: {
    kind: 'refused',
    message: (version: string) => `Postgres ${version} isn't supported`,
    guidance:
      'Holdfast protects Postgres 13 to 18: upgrade the server, or Holdfast for a newer one.',
  },

  // ---------------------------------------------------------------- access
  wrongPassword: {
    kind: 'refused',
    message: (user: string, address: string) => `${address} refused the password of role "${user}"`,
    guidance: 'Correct the password that the URL of this store refers to.',
  },
  passwordMissing: {
    kind: 'refused',
    message: (user: string, address: string) =>
      `${address} asks for a password of role "${user}", and the URL has none`,
    guidance: 'Add the password to the URL by reference: ${NAME} or ${file:/path}.',
  },
  roleMissing: {
    kind: 'refused',
    message: (user: string, address: string) =>
      `role "${user}" doesn't exist at ${address} or may not log in`,
    guidance: (user: string, _address: string) =>
      `As a superuser: CREATE ROLE ${quoteIdentifier(user)} LOGIN REPLICATION PASSWORD '…'; GRANT pg_monitor TO ${quoteIdentifier(user)};`,
  },
  databaseMissing: {
    kind: 'not-found',
    message: (database: string, address: string) =>
      `database "${database}" doesn't exist at ${address}`,
    guidance:
      'Name an existing database in the URL; any one serves, the whole cluster is protected.',
  },
  noHostEntry: {
    kind: 'refused',
    message: (user: string, address: string, why: string) =>
      `pg_hba.conf at ${address} has no entry that lets role "${user}" in from here: ${why}`,
    guidance: (user: string, _address: string, _why: string) =>
      `Add to pg_hba.conf: host all ${user} <address of this host>/32 scram-sha-256   then: SELECT pg_reload_conf();   where an entry asks for a certificate: sslcert and sslkey in the URL.`,
  },
  noReplicationEntry: {
    kind: 'refused',
    message: (user: string, address: string, why: string) =>
      `pg_hba.conf at ${address} has no replication entry for role "${user}" from here: ${why}`,
    guidance: (user: string, _address: string, _why: string) =>
      `Add to pg_hba.conf: host replication ${user} <address of this host>/32 scram-sha-256   then: SELECT pg_reload_conf();`,
  },
  notReplicationRole: {
    kind: 'refused',
    message: (user: string, address: string) =>
      `role "${user}" at ${address} lacks the REPLICATION attribute`,
    guidance: (user: string, _address: string) =>
      `As a superuser: ALTER ROLE ${quoteIdentifier(user)} REPLICATION;`,
  },
  accessRefused: {
    kind: 'refused',
    message: (user: string, address: string, why: string) =>
      `${address} refused role "${user}": ${why}`,
    guidance: 'Mend what the server says, in pg_hba.conf or the attributes of the role.',
  },
  noFreeWalSender: {
    kind: 'failed',
    retryable: true,
    message: (address: string) => `no free WAL sender at ${address}`,
    guidance:
      'ALTER SYSTEM SET max_wal_senders = 10; then restart Postgres (it must stand above what SELECT count(*) FROM pg_stat_replication shows; it is 0 under wal_level=minimal).',
  },
  tooManyConnections: {
    kind: 'failed',
    retryable: true,
    message: (address: string) => `${address} has no free connection`,
    guidance: 'Raise max_connections or the connection limit of the role, or free connections.',
  },

  // ---------------------------------------------------------------- what the server can't do
  walLevelMinimal: {
    kind: 'refused',
    message: (store: string) => `${store}: wal_level is minimal, the WAL can't be streamed`,
    guidance:
      "ALTER SYSTEM SET wal_level = 'replica'; ALTER SYSTEM SET max_wal_senders = 10; then restart Postgres.",
  },
  standbyWithoutPageWrites: {
    kind: 'refused',
    message: (store: string) =>
      `${store}: no base can be taken from this standby, its primary runs with full_page_writes off`,
    guidance:
      'On the primary: ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf(); CHECKPOINT;   then on the standby: CHECKPOINT;',
  },
  // ---------------------------------------------------------------- base backup
  manifestMismatch: {
    kind: 'failed',
    retryable: true,
    message: (what: string, count: number) =>
      `the base backup isn't what its manifest says: ${what}${count > 1 ? ` and ${count - 1} more` : ''}`,
    guidance: 'Nothing of it is kept. Take it again; if it stays so, look at network and memory.',
  },
  walMissing: {
    kind: 'failed',
    retryable: true,
    message: (segment: string) =>
      `the base backup lacks the WAL file ${segment} that makes it consistent`,
    guidance:
      'The server removed it meanwhile: raise max_slot_wal_keep_size or wal_keep_size, or take the backup at a quieter time.',
  },
  backupRefused: {
    kind: 'failed',
    retryable: true,
    message: (why: string) => `Postgres broke the base backup off: ${why}`,
    guidance: 'The text is the answer of the server; its log may say more.',
  },

  commandFailed: {
    kind: 'failed',
    message: (command: string, why: string) => `Postgres refused ${command}: ${why}`,
    guidance: 'The text is the answer of the server; its log may say more.',
  },
  // ---------------------------------------------------------------- tables and rows of a copy
  tableUnknown: {
    kind: 'not-found',
    message: (name: string, where: string, _known: readonly string[]) =>
      `${where} has no table "${name}"`,
    guidance: (name: string, _where: string, known: readonly string[]) => {
      if (known.length === 0)
        return 'It has no tables at all: another database may be meant (--database).';
      const close = closest(name, known);
      const shown = known.slice(0, 12).join(', ');
      const all = `It has: ${shown}${known.length > 12 ? `, … (${known.length})` : ''}`;
      return close === undefined ? all : `Did you mean "${close}"? ${all}`;
    },
  },
  tableAmbiguous: {
    kind: 'invalid',
    message: (name: string, found: readonly string[]) =>
      `"${name}" may be several tables: ${found.join(', ')}`,
    guidance: 'Name it with its schema: --table SCHEMA.NAME',
  },
  tableGone: {
    kind: 'not-found',
    message: (name: string, now: string | undefined) =>
      now === undefined
        ? `production has no table "${name}" that rows could be merged into`
        : `production calls "${name}" "${now}" now`,
    guidance: (name: string, now: string | undefined) =>
      now === undefined
        ? `Without --merge it comes back as a table of its own; --as NAME merges into another one.`
        : `Merge into it: --table ${name} --merge --as ${now}`,
  },
  tableCalledOtherwise: {
    kind: 'not-found',
    message: (name: string, then: string) => `at that instant "${name}" was called "${then}"`,
    guidance: (name: string, then: string) => `Name it so: --table ${then} --as ${name}`,
  },
  keyMissing: {
    kind: 'invalid',
    message: (table: string) =>
      `${table} has no primary key in production, so its rows can't be told apart`,
    guidance:
      'Bring them back as a table of its own (without --merge), or give the table a key: a unique index on columns that are NOT NULL.',
  },
  keyAbsent: {
    kind: 'invalid',
    message: (table: string, column: string) =>
      `at that instant ${table} had no column "${column}", which is production's key now`,
    guidance: 'Bring the rows back as a table of its own (without --merge), and merge them by SQL.',
  },
  columnWithoutValue: {
    kind: 'invalid',
    message: (table: string, column: string) =>
      `${table}.${column} wasn't there at that instant, takes no null and has no default`,
    guidance: (table: string, column: string) =>
      `Give it a default for the time of the merge: ALTER TABLE ${table} ALTER ${column} SET DEFAULT …; or bring the rows back without --merge.`,
  },
  typeDoesNotFit: {
    kind: 'invalid',
    message: (table: string, columns: readonly string[], why: string) =>
      `a value of ${table} doesn't fit production's type now${columns.length === 0 ? '' : ` (${columns.join(', ')})`}: ${why}`,
    guidance:
      'Nothing was written. Bring back only rows that fit (--where), or all of them as a table of its own (without --merge).',
  },
  typeMissing: {
    kind: 'not-found',
    message: (type: string, column: string) =>
      `production has no type ${type}, which column "${column}" is of`,
    guidance: 'Create the type (or its extension) in production first. Nothing was written.',
  },
  conditionInvalid: {
    kind: 'invalid',
    message: (sql: string, why: string) => `the database can't answer "${sql}": ${why}`,
    guidance: 'Nothing was written. Write it as it would stand in a SELECT at that instant.',
  },
  nameTaken: {
    kind: 'refused',
    message: (name: string) => `production has something called "${name}" already`,
    guidance: 'Choose another name with --as NAME, or remove that first. Nothing was written.',
  },
  referenceMissing: {
    kind: 'failed',
    message: (constraint: string, table: string, why: string, _other: string) =>
      `the foreign key ${constraint} of ${table} doesn't hold: ${why}`,
    guidance: (_constraint: string, table: string, _why: string, other: string) =>
      other === '' || other === table
        ? 'Nothing was written. Choose rows whose references are there (--where).'
        : `Nothing was written. Bring the rows of "${other}" back with them, in one go: --table ${table} --table ${other}; or choose rows whose references are there (--where).`,
  },
  valueTaken: {
    kind: 'failed',
    message: (constraint: string, table: string, why: string) =>
      `another row of ${table} has the value that ${constraint} allows only once: ${why}`,
    guidance:
      'Nothing was written. Leave that row out (--where), change the other one first, or run it again where production changed meanwhile.',
  },
  rowRefused: {
    kind: 'failed',
    message: (table: string, why: string) => `production refuses a row of ${table}: ${why}`,
    guidance: 'Nothing was written. Leave that row out (--where), or change the rule first.',
  },
  writeNotAllowed: {
    kind: 'refused',
    message: (why: string) => `the role of this store may not do that in production: ${why}`,
    guidance:
      'Nothing was written. Name a file with the address of a role that may: --production-url-file FILE. A merge keeps its undo in a schema of its own, which needs CREATE on the database (or --no-undo).',
  },
  productionReadOnly: {
    kind: 'refused',
    message: () => 'production takes no writes at this address: it is a standby, or set read-only',
    guidance: 'Name a file with the address of the primary: --production-url-file FILE',
  },
  tableLocked: {
    kind: 'failed',
    retryable: true,
    message: (why: string) => `a lock on production could not be had within 10 s: ${why}`,
    guidance: 'Nothing was written. Try again when whoever holds the table is done.',
  },
  alreadyUndone: {
    kind: 'invalid',
    message: (id: string) => `${id} was taken back already`,
    guidance: 'Nothing is left to do.',
  },

  // ---------------------------------------------------------------- recovery
  beforeBaseEnd: {
    kind: 'invalid',
    message: () => 'the instant lies before the end of the base backup it would start from',
    guidance: 'Choose an instant after it, or one that an earlier base backup covers.',
  },
  timelineUnknown: {
    kind: 'failed',
    message: (line: number) => `the journal doesn't say where timeline ${line} came from`,
    guidance: 'Choose an instant on another timeline, or one that a later base backup covers.',
  },
  notAPostgresTree: {
    kind: 'failed',
    message: (what: string) => `the restored folder is no data directory of Postgres: ${what}`,
    guidance: 'Check the repository (holdfast repo check --read-data) and recover again.',
  },
  pointsOutside: {
    kind: 'refused',
    message: (what: string, target: string) =>
      `the copy isn't started: ${what} points outside of it, to ${target}`,
    guidance:
      'Nothing of production was touched. Report what points there; remove it from the copy to go on.',
  },
  recoveryFailed: {
    kind: 'failed',
    message: (why: string) => `Postgres ended during recovery: ${why}`,
    guidance: (_why: string) =>
      'The whole log lies in server.log in the scratch folder of the copy.',
  },
  recoveredElsewhere: {
    kind: 'failed',
    message: (reached: string, wanted: string) =>
      `recovery ended at ${reached} instead of ${wanted}`,
    guidance:
      'The journal is damaged between the two. Recover to an earlier instant, and check the repository (holdfast repo check --read-data).',
  },
  notSettled: {
    kind: 'refused',
    message: (why: string) => `the copy can't become production: ${why}`,
    guidance: 'Recover again, and promote that.',
  },

  // ---------------------------------------------------------------- running a recovered server
  notWrittenOut: {
    kind: 'failed',
    message: (withinMs: number) =>
      `the copy's server hasn't written out within ${withinMs / 60_000} min what it replayed`,
    guidance:
      'See `server.log` in its scratch folder; with room on its disk `recovery resume` tries again.',
  },
  osUserMissing: {
    kind: 'invalid',
    message: (name: string) => `"${name}" is no ordinary user of this system`,
    guidance:
      'Postgres refuses to run as root: name an existing user with --owner, or make one (useradd --system postgres).',
  },
  osUserRefused: {
    kind: 'refused',
    message: (owner: string, current: string) =>
      `a server can't be given to "${owner}" by "${current}"`,
    guidance: 'Run Holdfast as root, or as the user that is to own the server.',
  },
  binariesMissing: {
    kind: 'not-found',
    message: (major: number) => `no binaries of Postgres ${major} on this host`,
    guidance: (major: number) =>
      `Install them (Debian: apt-get install postgresql-${major}) or put the folder of postgres on the PATH.`,
  },

  baseNotAdvanced: {
    kind: 'failed',
    message: (why: string) => `no new base could be made of the one before: ${why}`,
    guidance: 'Take the next base from production: holdfast protect STORE.',
  },

  // ---------------------------------------------------------------- the WAL journal
  noFreeSlot: {
    kind: 'failed',
    message: (slot: string) => `the server has no free replication slot for ${slot}`,
    guidance:
      'Drop a slot that nobody needs (SELECT slot_name, active FROM pg_replication_slots), or ALTER SYSTEM SET max_replication_slots = 20; then restart Postgres.',
  },
  slotTaken: {
    kind: 'refused',
    message: (slot: string) => `the replication slot ${slot} exists and is not a physical one`,
    guidance: 'Give this store another `slot` in holdfast.yaml, or drop that slot.',
  },
  slotBusy: {
    kind: 'failed',
    retryable: true,
    message: (slot: string) => `another process streams from the replication slot ${slot}`,
    guidance:
      'It is tried again by itself. If it stays so, a second Holdfast protects this store: stop one of them.',
  },
  slotStays: {
    kind: 'failed',
    retryable: true,
    message: (slot: string) => `the replication slot ${slot} could not be dropped`,
    guidance: (slot: string) =>
      `It holds WAL on the server until it is gone: SELECT pg_drop_replication_slot('${slot}');`,
  },
  slotLimitReached: {
    kind: 'failed',
    message: (slot: string, held: string, limit: string) =>
      `the replication slot ${slot} held ${held} of WAL on the server, more than its limit of ${limit}`,
    guidance:
      'The slot was given up so that production keeps its disk. A new base backup begins a new recovery window.',
  },
  otherCluster: {
    kind: 'refused',
    message: (address: string, found: string, known: string) =>
      `the server at ${address} is another cluster (system identifier ${found}) than the one protected so far (${known})`,
    guidance:
      'Correct the URL of this store; or give the store a new name in holdfast.yaml, so that the two histories stay apart.',
  },
  serverBehind: {
    kind: 'refused',
    message: (serverLine: number, ourLine: number) =>
      `the server is on timeline ${serverLine}, but the journal has followed it to timeline ${ourLine}`,
    guidance:
      'It looks like an old primary that came back: point the URL of this store at the one that is primary now.',
  },
  serverStopping: {
    kind: 'failed',
    retryable: true,
    message: () => 'the server is shutting down',
    guidance: 'The stream goes on by itself when it is up again.',
  },

  // ---------------------------------------------------------------- instants in the journal
  instantBeforeBase: {
    kind: 'not-found',
    message: (instant: string, baseEnd: string) =>
      `${instant} lies before the base backup that ends at ${baseEnd}`,
    guidance: 'Choose an older base, or a later instant (`holdfast points` shows both).',
  },
  instantInFuture: {
    kind: 'invalid',
    message: (instant: string) => `${instant} has not come yet, by the clock of the database`,
    guidance: 'Choose an instant in the past, or `latest`.',
  },
  positionBeforeBase: {
    kind: 'not-found',
    message: (lsn: string, baseEnd: string) =>
      `LSN ${lsn} lies before the base backup that ends at ${baseEnd}`,
    guidance: 'Choose an older base, or a later LSN (`holdfast points` shows both).',
  },
  positionBeyondEnd: {
    kind: 'not-found',
    message: (lsn: string, end: string, line: number) =>
      `LSN ${lsn} lies beyond the journal, which ends at ${end} of timeline ${line}`,
    guidance: 'Choose an LSN before that, or `latest`.',
  },
  restorePointMissing: {
    kind: 'not-found',
    message: (name: string, seen: string[]) =>
      `no restore point "${name}" in the journal since the base backup${seen.length === 0 ? '' : `; there are: ${seen.join(', ')}`}`,
    guidance: 'Choose one of those, or an older base where it was set before this one.',
  },
  journalBroken: {
    kind: 'not-found',
    message: (lsn: string, line: number, because: string | undefined) =>
      `the journal breaks off at ${lsn} of timeline ${line}${because === undefined ? '' : ` (${because})`}`,
    guidance:
      'Choose an instant before this place, or one after the next base backup behind it (`holdfast points`).',
  },
  walDamaged: {
    kind: 'not-found',
    message: (lsn: string) => `what the journal holds at ${lsn} is no valid WAL record`,
    guidance: 'Choose an instant before this place; `latest` takes everything up to it.',
  },
  lineUnreachable: {
    kind: 'not-found',
    message: (line: number, baseEnd: string, baseLine: number, known: number[]) =>
      `timeline ${line} can't be reached from the base backup that ends at ${baseEnd} of timeline ${baseLine} (known: ${[baseLine, ...known].join(', ')})`,
    guidance: 'Choose one of the known timelines, or an older base that lies before the fork.',
  },

  protocolBroken: {
    kind: 'failed',
    message: (what: string) =>
      `the server's answer isn't what the replication protocol says: ${what}`,
    guidance: 'Check that nothing but Postgres (no pooler) answers at this address.',
  },
});

/** `"name"` as SQL wants it. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
