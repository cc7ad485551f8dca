import { randomBytes } from '#base';
import type {
  Capture,
  CaptureEvent,
  CaptureOptions,
  CaptureOutcome,
  SourceContext,
  StoreSettings,
} from '../../source.ts';
import type { PostgresConfig } from '../config.ts';
import {
  type ConnectionSettings,
  connectReplication,
  parseConnectionUrl,
  type ReplicationConnection,
  sqlState,
} from '../connection/index.ts';
import { chooseReading } from '../direct/choose-reading.ts';
import { DirectReading } from '../direct/direct-reading.ts';
import type { DataDirectoryHere } from '../direct/server-here.ts';
import type { BaseFacts } from '../facts.ts';
import { type AskedBySql, askBySql } from './ask-by-sql.ts';
import { chunkSizeOf } from './chunk-size.ts';
import type { BackupEventOptions } from './events.ts';
import { type ServerFacts, serverFacts } from './server-facts.ts';
import { type BaseReading, StreamReading } from './stream-reading.ts';

/** SQLSTATE configuration_limit_exceeded: all replication slots are in use. */
const CONFIGURATION_LIMIT = '53400';

/**
 * Connects and prepares a base backup; nothing is read from the data yet.
 * @throws the catalogue's errors of reach and access, postgres/wal-level-minimal
 */
export async function captureBase(
  store: StoreSettings<PostgresConfig>,
  context: SourceContext,
  { takesLiveFiles = false }: Pick<CaptureOptions, 'takesLiveFiles'> = {},
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
    const slot = await holdWal(connection, context);
    const parts = { store, context, settings, connection, server, asked, chunkSizeBytes };
    const here = await chooseReading({
      ...{ takesLiveFiles, own: store.own, server, chunkSizeBytes, slot },
      isStandby: asked.upstream !== undefined,
      mayBackUp: asked.mayBackUp,
      serverVersion: connection.serverVersion,
      serverPid: connection.serverPid,
    });
    return new BaseCapture(parts, here);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

type BaseParts = {
  store: StoreSettings<PostgresConfig>;
  context: SourceContext;
  settings: ConnectionSettings;
  connection: ReplicationConnection;
  server: ServerFacts;
  asked: AskedBySql;
  chunkSizeBytes: number;
};

class BaseCapture implements Capture {
  readonly kind = 'base';
  readonly root: string;
  readonly expectedBytes: number | undefined;
  readonly #parts: BaseParts;
  readonly #reading: BaseReading;
  readonly #readBy: NonNullable<BaseFacts['readBy']>;

  constructor(parts: BaseParts, here: DataDirectoryHere | { because: string }) {
    this.#parts = parts;
    this.root = `/postgres/${parts.store.name}`;
    const { server, asked, context } = parts;
    // The WAL at the end is a segment at least.
    this.expectedBytes = asked.storeBytes && asked.storeBytes + server.walSegmentSizeBytes;
    if ('because' in here) {
      this.#readBy = { way: 'stream', because: here.because };
      this.#reading = streamReading(parts);
    } else {
      this.#readBy = { way: 'files' };
      this.#reading = directReading(parts, here);
    }
    context.log.info(this.#readBy, 'how the data of the base is read');
  }

  events(): AsyncIterable<CaptureEvent> {
    return this.#reading.events();
  }

  async outcome(): Promise<CaptureOutcome> {
    const { start, end, tablespaces } = this.#reading.finished();
    const { server, asked, chunkSizeBytes, connection, settings } = this.#parts;
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
      access: { user: settings.user, database: settings.database ?? settings.user },
      readBy: this.#readBy,
    };
    return {
      start: { line: start.timeline, offset: start.lsn },
      end: { line: end.timeline, offset: end.lsn },
      clock: asked.clock,
      facts,
    };
  }

  async close(): Promise<void> {
    await this.#reading.close();
    await this.#parts.connection.close();
  }
}

function readingOptions({ store, server, asked, chunkSizeBytes }: BaseParts): BackupEventOptions {
  return {
    chunkSizeBytes,
    blockSizeBytes: server.blockSizeBytes,
    segmentFileBytes: server.segmentFileBytes,
    walSegmentSizeBytes: server.walSegmentSizeBytes,
    verifyPages: store.own.verifyPages && server.dataChecksums,
    configFiles: asked.configFiles,
  };
}

const labelOf = ({ environment, stage, name }: StoreSettings) =>
  `holdfast ${environment}/${stage}/${name}`;

function streamReading(parts: BaseParts): BaseReading {
  const { connection, store, context } = parts;
  return new StreamReading({
    connection,
    options: readingOptions(parts),
    own: store.own,
    label: labelOf(store),
    signal: context.signal,
  });
}

function directReading(parts: BaseParts, here: DataDirectoryHere): BaseReading {
  const { connection, store, context, server, settings } = parts;
  return new DirectReading({
    here,
    settings,
    options: readingOptions(parts),
    label: labelOf(store),
    checkpoint: store.own.checkpoint,
    server: {
      majorVersion: Math.floor(connection.serverVersion / 10_000),
      systemIdentifier: server.systemIdentifier,
    },
    signal: context.signal,
  });
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
async function holdWal(
  connection: ReplicationConnection,
  context: SourceContext,
): Promise<string | undefined> {
  const name = `holdfast_base_${randomBytes(6).toString('hex')}`;
  try {
    await connection.query(`CREATE_REPLICATION_SLOT ${name} TEMPORARY PHYSICAL RESERVE_WAL`);
    return name;
  } catch (error) {
    const isFull = error instanceof Error && sqlState(error.cause) === CONFIGURATION_LIMIT;
    if (!isFull) throw error;
    context.log.warn({ slot: name }, 'no slot free to hold WAL during the base backup');
    return undefined;
  }
}
