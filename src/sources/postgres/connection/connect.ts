import pg from 'pg';
import { errors } from '../errors.ts';
import { type CopyConnection, copyConnection } from './copy.ts';
import { connectFailure, mayTryOtherTls } from './failures.ts';
import { LendingSocket } from './lending-socket.ts';
import { type ReplicationConnection, replicationConnection } from './replication.ts';
import type { ConnectionSettings } from './settings.ts';
import { type SqlConnection, sqlConnection } from './sql.ts';
import { type TlsAttempt, tlsAttempts } from './tls.ts';

const OLDEST_VERSION = 130_000;
const NEWEST_VERSION = 189_999;

/**
 * A connection in replication mode (`replication=true`): knows replication commands, no SQL.
 * @throws the catalogue's errors of address, reach and access
 */
export async function connectReplication(
  settings: ConnectionSettings,
): Promise<ReplicationConnection> {
  const { client, version } = await connect(settings, 'replication');
  return replicationConnection(client, version);
}

/**
 * An ordinary connection. Without a database in the settings `postgres` is taken.
 * @throws the catalogue's errors of address, reach and access
 */
export async function connectSql(settings: ConnectionSettings): Promise<SqlConnection> {
  const withDatabase = { ...settings, database: settings.database ?? 'postgres' };
  const { client, version } = await connect(withDatabase, 'sql');
  return sqlConnection(client, version);
}

/**
 * An ordinary connection that can also stream tables in and out.
 * @throws the catalogue's errors of address, reach and access
 */
export async function connectForCopies(
  settings: ConnectionSettings & { database: string },
): Promise<CopyConnection> {
  const { client, version } = await connect(settings, 'sql');
  return copyConnection(client, version);
}

type Connected = { client: pg.Client; version: number };

async function connect(
  settings: ConnectionSettings,
  purpose: 'replication' | 'sql',
): Promise<Connected> {
  let first: unknown;
  for (const tls of await tlsAttempts(settings)) {
    try {
      return await connectOnce(settings, purpose, tls);
    } catch (error) {
      // The first refusal is what is told: that of the way the user prefers.
      first ??= error;
      if (!mayTryOtherTls(error)) throw connectFailure(error, settings, purpose);
    }
  }
  throw connectFailure(first, settings, purpose);
}

async function connectOnce(
  settings: ConnectionSettings,
  purpose: 'replication' | 'sql',
  tls: TlsAttempt,
): Promise<Connected> {
  const config: pg.ClientConfig & { replication?: string } = {
    host: settings.host,
    port: settings.port,
    user: settings.user,
    // A function, because an absent password would send pg looking into files and the environment.
    password: () => settings.password?.reveal() ?? '',
    ssl: tls,
    sslnegotiation: 'postgres',
    application_name: settings.applicationName,
    connectionTimeoutMillis: settings.connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: settings.keepaliveIdleMs,
    ...(settings.database === undefined ? {} : { database: settings.database }),
    ...(purpose === 'replication' ? { replication: 'true' } : {}),
    ...(purpose === 'replication' && !tls ? { stream: () => new LendingSocket() } : {}),
  };
  const client = new pg.Client(config);
  const versionText = serverVersionOf(client);
  let failure: unknown;
  // The end of a connection that never stood is told by connect() itself.
  const onError = (error: unknown) => {
    failure = error;
  };
  client.on('error', onError);
  try {
    await client.connect();
    const version = versionNumber(await versionText);
    if (version < OLDEST_VERSION || version > NEWEST_VERSION) {
      throw errors.versionUnsupported([await versionText]);
    }
    if (failure !== undefined) throw failure;
    client.off('error', onError);
    return { client, version };
  } catch (error) {
    await client.end().catch(() => {
      // It failed already; the reason is in `error`.
    });
    throw error;
  }
}

/** The server tells its version before it is ready, also in replication mode. */
function serverVersionOf(client: pg.Client): Promise<string> {
  const { connection } = client as unknown as { connection: NodeJS.EventEmitter };
  return new Promise((resolve) => {
    connection.on(
      'parameterStatus',
      (status: { parameterName: string; parameterValue: string }) => {
        if (status.parameterName === 'server_version') resolve(status.parameterValue);
      },
    );
  });
}

/** `15.18 (Debian …)` is 150018; `19beta1` is 190000. */
function versionNumber(text: string): number {
  const match = /^(\d+)(?:\.(\d+))?/.exec(text);
  return Number(match?.[1] ?? 0) * 10_000 + Number(match?.[2] ?? 0);
}
