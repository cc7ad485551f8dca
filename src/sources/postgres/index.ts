import type { CaptureOutcome, JournalSegments, Source, StoreSettings } from '../source.ts';
import { captureBase } from './base/capture.ts';
import { type PostgresConfig, postgresSchema } from './config.ts';
import { isThisHost, parseConnectionUrl } from './connection/index.ts';
import { baseFactsOf } from './facts.ts';
import { inspectPostgres } from './inspect/inspect.ts';
import { DEFAULT_SEGMENT_SIZE_BYTES, segmentName } from './lsn.ts';
import { settleCopy, startCopy, stopCopy } from './recover/life.ts';
import { runningPostmaster } from './recover/postmaster.ts';
import { recoverPostgres } from './recover/recover.ts';
import { samplePages } from './recover/sample-pages.ts';
import { currentPosition, postgresJournal, resolve } from './wal/index.ts';

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
  journalSegments: walSegments,
  position: currentPosition,
  resolve,
  recover: recoverPostgres,
  start: startCopy,
  stop: stopCopy,
  inUse: async (directory) => (await runningPostmaster(directory)) !== undefined,
  sample: samplePages,
  settle: settleCopy,
  home: dataDirectoryHere,
};

/** WAL files as Postgres names them. Before the first base the usual size is assumed. */
function walSegments(newest: CaptureOutcome | undefined): JournalSegments {
  const sizeBytes = newest ? baseFactsOf(newest).walSegmentSizeBytes : DEFAULT_SEGMENT_SIZE_BYTES;
  return { sizeBytes, name: (line, from) => segmentName(line, from, sizeBytes) };
}

/** The data directory of production, where its server runs on this host. */
function dataDirectoryHere(
  store: StoreSettings<PostgresConfig>,
  capture: CaptureOutcome | undefined,
): string | undefined {
  if (capture === undefined || !isThisHost(parseConnectionUrl(store.own.url).host))
    return undefined;
  return baseFactsOf(capture).settings.data_directory;
}
