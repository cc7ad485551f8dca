import type { CaptureOutcome, Source, StoreSettings } from '../source.ts';
import { captureBase } from './base/capture.ts';
import { type PostgresConfig, postgresSchema } from './config.ts';
import { isThisHost, parseConnectionUrl } from './connection/index.ts';
import { baseFactsOf } from './facts.ts';
import { inspectPostgres } from './inspect/inspect.ts';
import { settleCopy, startCopy, stopCopy } from './recover/life.ts';
import { runningPostmaster } from './recover/postmaster.ts';
import { recoverPostgres } from './recover/recover.ts';
import { postgresJournal, resolve } from './wal/index.ts';

/**
 * Postgres 13 to 18, protected physically: base backups and WAL over the replication protocol, recovery to any position
 * of the WAL. The README beside tells what is guaranteed and what isn't.
 */
export const postgresSource: Source<PostgresConfig> = {
  type: 'postgres',
  schema: postgresSchema,
  inspect: inspectPostgres,
  capture: (store, _options, context) => captureBase(store, context),
  journal: postgresJournal,
  resolve,
  recover: recoverPostgres,
  start: startCopy,
  stop: stopCopy,
  inUse: async (directory) => (await runningPostmaster(directory)) !== undefined,
  settle: settleCopy,
  home: dataDirectoryHere,
};

/** The data directory of production, where its server runs on this host. */
function dataDirectoryHere(
  store: StoreSettings<PostgresConfig>,
  capture: CaptureOutcome | undefined,
): string | undefined {
  if (capture === undefined || !isThisHost(parseConnectionUrl(store.own.url).host))
    return undefined;
  return baseFactsOf(capture).settings.data_directory;
}
