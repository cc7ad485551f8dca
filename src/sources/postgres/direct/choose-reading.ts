import type { ServerFacts } from '../base/server-facts.ts';
import type { PostgresConfig } from '../config.ts';
import { type DataDirectoryHere, dataDirectoryHere } from './server-here.ts';

export type ReadingConditions = {
  takesLiveFiles: boolean;
  own: Pick<PostgresConfig, 'maxRate'>;
  isStandby: boolean;
  mayBackUp: boolean;
  server: ServerFacts;
  serverVersion: number;
  serverPid: number;
  chunkSizeBytes: number;
  /** See `ServerAsked`; undefined where none was free. */
  slot: string | undefined;
};

/** From its files where all of that is so, else why they aren't read and the server is asked to send them. */
export async function chooseReading(
  conditions: ReadingConditions,
): Promise<DataDirectoryHere | { because: string }> {
  const { own, slot, server, chunkSizeBytes } = conditions;
  if (!conditions.takesLiveFiles) return { because: 'whoever asked for it takes streams alone' };
  if (own.maxRate !== undefined) return { because: 'the server itself keeps to maxRate' };
  if (conditions.isStandby) return { because: 'it is a standby' };
  if (!conditions.mayBackUp) {
    return { because: 'this role may not call pg_backup_start and pg_backup_stop (15 and later)' };
  }
  if (slot === undefined) return { because: 'no replication slot is free' };
  if (chunkSizeBytes % server.blockSizeBytes !== 0) {
    return { because: 'chunkSize is not a multiple of its block size' };
  }
  const { serverVersion, serverPid } = conditions;
  return dataDirectoryHere({ server, serverVersion, serverPid, slot });
}
