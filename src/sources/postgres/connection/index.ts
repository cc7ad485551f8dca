/** Connections to Postgres: SQL and replication mode, TLS as libpq's sslmode, errors in plain words. */
export { connectForCopies, connectReplication, connectSql } from './connect.ts';
export type { CopyConnection } from './copy.ts';
export { sqlState } from './failures.ts';
export type {
  ReplicationConnection,
  ReplicationMessage,
  ReplicationStream,
} from './replication.ts';
export { addressOf, type ConnectionSettings, isThisHost, parseConnectionUrl } from './settings.ts';
export type { SqlConnection } from './sql.ts';
