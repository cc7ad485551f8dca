import { isHoldfastError, messageOf, randomBytes } from '#base';
import type {
  Capture,
  CaptureEvent,
  CaptureOutcome,
  SourceContext,
  StoreSettings,
} from '../../source.ts';
import type { PostgresConfig } from '../config.ts';
import {
  type ConnectionSettings,
  connectReplication,
  connectSql,
  parseConnectionUrl,
  type ReplicationConnection,
  type SqlConnection,
  sqlState,
} from '../connection/index.ts';
import { errors } from '../errors.ts';
import type { BaseFacts } from '../facts.ts';
import { readUpstream, type Upstream } from '../wal/upstream.ts';
import { chunkSizeOf } from './chunk-size.ts';
import { type ClockOffset, measureClock, primaryClock, UNKNOWN_CLOCK } from './clock.ts';
import { baseBackupCommand } from './command.ts';
import { type ConfigFiles, configFilesOf, NO_CONFIG_FILES } from './config-files.ts';
import { ContentWindow } from './content-window.ts';
import { BackupEvents } from './events.ts';
import { backupItems } from './items.ts';
import { copyNeeds, hasPageWrites, type ServerFacts, serverFacts } from './server-facts.ts';

/** A role that may only replicate is enough; whatever else keeps it from SQL would stop replication too. */
const NO_SQL_NEEDED = ['postgres/no-host-entry', 'postgres/database-missing'];
/** SQLSTATE configuration_limit_exceeded: all replication slots are in use. */
const CONFIGURATION_LIMIT = '53400';

/** What is asked by SQL before a base backup; a role without access to any database can do without. */
type AskedBySql = {
  clock: ClockOffset;
  configFiles: ConfigFiles;
  needs: Record<string, unknown>;
  storeBytes: number | undefined;
  /** Undefined for a server that isn't a standby, or can't be asked. */
  upstream: Upstream | undefined;
};

/**
 * Connects and prepares a base backup; nothing is read from the data yet.
 * @throws the catalogue's errors of reach and access, postgres/wal-level-minimal
 */
export async function captureBase(
  store: StoreSettings<PostgresConfig>,
  context: SourceContext,
): Promise<Capture> {
  const settings = parseConnectionUrl(store.own.url);
  const asked = await askBySql(store, settings, context);
  const connection = await connectReplication(settings);
  try {
    const server = await serverFacts(connection);
    const chunkSizeBytes = await chunkSizeOf(
      store.own.chunkSize,
      asked.storeBytes,
      context.stateFolder,
    );
    await holdWal(connection, context);
    const access = { user: settings.user, database: settings.database ?? settings.user };
    return new BaseCapture({ store, context, connection, server, asked, chunkSizeBytes, access });
  } catch (error) {
    await connection.close();
    throw error;
  }
}

type BaseParts = {
  store: StoreSettings<PostgresConfig>;
  context: SourceContext;
  connection: ReplicationConnection;
  server: ServerFacts;
  asked: AskedBySql;
  chunkSizeBytes: number;
  access: BaseFacts['access'];
};

class BaseCapture implements Capture {
  readonly kind = 'base';
  readonly root: string;
  readonly expectedBytes: number | undefined;
  readonly #parts: BaseParts;
  readonly #window = new ContentWindow();
  readonly #events: BackupEvents;

  constructor(parts: BaseParts) {
    this.#parts = parts;
    this.root = `/postgres/${parts.store.name}`;
    const { server, asked, store, chunkSizeBytes } = parts;
    // The WAL at the end is a segment at least.
    this.expectedBytes = asked.storeBytes && asked.storeBytes + server.walSegmentSizeBytes;
    const options = {
      chunkSizeBytes,
      blockSizeBytes: server.blockSizeBytes,
      segmentFileBytes: server.segmentFileBytes,
      walSegmentSizeBytes: server.walSegmentSizeBytes,
      verifyPages: store.own.verifyPages && server.dataChecksums,
      configFiles: asked.configFiles,
    };
    this.#events = new BackupEvents(options, this.#window);
  }

  events(): AsyncIterable<CaptureEvent> {
    const { connection, store, context } = this.#parts;
    const command = baseBackupCommand(connection.serverVersion, {
      label: `holdfast ${store.environment}/${store.stage}/${store.name}`,
      checkpoint: store.own.checkpoint,
      verifyChecksums: store.own.verifyPages,
      ...(store.own.maxRate === undefined ? {} : { maxRateBytes: store.own.maxRate }),
    });
    const stream = connection.stream(command, context.signal, { inParts: true });
    return this.#events.from(backupItems(stream, connection.serverVersion, this.#window));
  }

  async outcome(): Promise<CaptureOutcome> {
    const { start, end, tablespaces } = this.#events.finished();
    const { server, asked, chunkSizeBytes, connection } = this.#parts;
    const facts: BaseFacts = {
      serverVersion: connection.serverVersion,
      majorVersion: Math.floor(connection.serverVersion / 10_000),
      systemIdentifier: server.systemIdentifier,
      walSegmentSizeBytes: server.walSegmentSizeBytes,
      blockSizeBytes: server.blockSizeBytes,
      segmentFileBytes: server.segmentFileBytes,
      chunkSizeBytes,
      tablespaces,
      settings: server.settings,
      configFiles: asked.configFiles.files.map((file) => file.absolutePath),
      needs: asked.needs,
      fromStandby: asked.upstream !== undefined,
      ...asOf(asked, end.lsn),
      access: this.#parts.access,
    };
    return {
      start: { line: start.timeline, offset: start.lsn },
      end: { line: end.timeline, offset: end.lsn },
      clock: asked.clock,
      facts,
    };
  }

  async close(): Promise<void> {
    await this.#parts.connection.close();
  }
}

/** A standby may be behind its primary: its base holds less than its time says. */
function asOf({ upstream, clock }: AskedBySql, end: bigint): Pick<BaseFacts, 'asOfMs'> {
  const reached = [upstream?.standing, upstream?.replayed].find((one) => one && one.end <= end);
  return reached ? { asOfMs: reached.atMs - clock.offsetMs } : {};
}

/**
 * A temporary slot, gone with the connection, keeps the WAL since before the start on the server until the backup has
 * sent it. Where no slot is free the backup goes on: the server itself refuses to end it if WAL went missing.
 */
async function holdWal(connection: ReplicationConnection, context: SourceContext): Promise<void> {
  const name = `holdfast_base_${randomBytes(6).toString('hex')}`;
  try {
    await connection.query(`CREATE_REPLICATION_SLOT ${name} TEMPORARY PHYSICAL RESERVE_WAL`);
  } catch (error) {
    const isFull = error instanceof Error && sqlState(error.cause) === CONFIGURATION_LIMIT;
    if (!isFull) throw error;
    context.log.warn({ slot: name }, 'no slot free to hold WAL during the base backup');
  }
}

async function askBySql(
  store: StoreSettings<PostgresConfig>,
  settings: ConnectionSettings,
  context: SourceContext,
): Promise<AskedBySql> {
  let sql: SqlConnection;
  try {
    sql = await connectSql(settings);
  } catch (error) {
    const isAllowed = NO_SQL_NEEDED.some((code) => isHoldfastError(error, code));
    if (!isAllowed) throw error;
    context.log.warn(
      { reason: messageOf(error) },
      'no SQL connection: clock, configuration and size stay unknown',
    );
    return {
      clock: UNKNOWN_CLOCK,
      configFiles: NO_CONFIG_FILES,
      needs: {},
      storeBytes: undefined,
      upstream: undefined,
    };
  }
  try {
    const [level] = await sql.query<{ wal_level: string }>(
      "select current_setting('wal_level') as wal_level",
    );
    if (level?.wal_level === 'minimal') throw errors.walLevelMinimal([store.name]);
    const upstream = await readUpstream(sql);
    if (upstream.isStandby && !(await hasPageWrites(sql))) {
      throw errors.standbyWithoutPageWrites([store.name]);
    }
    const clock = await measureClock(sql);
    const [size] =
      (await sql.queryIfAllowed<{ bytes: string | null }>(
        'select sum(pg_database_size(oid))::text as bytes from pg_database',
      )) ?? [];
    return {
      clock: upstream.isStandby ? primaryClock(clock, upstream.clockOffsetMs) : clock,
      configFiles: await configFilesOf(sql),
      needs: await copyNeeds(sql),
      storeBytes: size?.bytes ? Number(size.bytes) : undefined,
      upstream: upstream.isStandby ? upstream : undefined,
    };
  } finally {
    await sql.close();
  }
}
