import type { CaptureOutcome, JournalSegments, Source, StoreSettings } from '../source.ts';
import { advanceBase } from './advance/advance.ts';
import { captureBase } from './base/capture.ts';
import { type PostgresConfig, postgresSchema } from './config.ts';
import { isThisHost, parseConnectionUrl } from './connection/index.ts';
import { baseFactsOf } from './facts.ts';
import { inspectPostgres } from './inspect/inspect.ts';
import { DEFAULT_SEGMENT_SIZE_BYTES, segmentName } from './lsn.ts';
import { tableParts } from './parts/index.ts';
import { hostLacks } from './recover/host-lacks.ts';
import { checkpointCopy, settleCopy, startCopy, stopCopy } from './recover/life.ts';
import { runningPostmaster } from './recover/postmaster.ts';
import { recoverPostgres } from './recover/recover.ts';
import { samplePages } from './recover/sample-pages.ts';
import { currentPosition, postgresJournal, resolve } from './wal/index.ts';

/**
 * What every database of a cluster shares; then the catalogs and indexes by which a session finds its way, but of the
 * templates; the large ones last.
 */
const READ_FIRST = [
  /^(global\/\w[^_]*|pg_(xact|multixact\/\w+|logical)\/\w+|base\/\d+\/pg_filenode\.map)$/,
  /^([\w.]+|base\/\d+\/PG_VERSION)$/,
  /^base\/(?!1\/|4\/)\d+\/(1247|1249|1259|260[0-7]|261\d|26(?!91)[5-9]\d|27[0-5]\d|3379|417\d)$/,
  /^base\/(?!1\/|4\/)\d+\/(1255|2691)$/,
];

/**
 * Postgres 13 to 18, protected physically: base backups and WAL over the replication protocol, recovery to any position
 * of the WAL. The README beside tells what is guaranteed and what isn't.
 */
export const postgresSource: Source<PostgresConfig> = {
  type: 'postgres',
  schema: postgresSchema,
  inspect: inspectPostgres,
  capture: (store, options, context) => captureBase(store, context, options),
  journal: postgresJournal,
  journalSegments: walSegments,
  bases: ({ own: { base } }) => ({ from: base.from, everyMs: base.every }),
  position: currentPosition,
  resolve,
  readFirst: READ_FIRST,
  hostLacks,
  recover: recoverPostgres,
  advance: advanceBase,
  start: startCopy,
  checkpoint: checkpointCopy,
  stop: stopCopy,
  inUse: async (directory) => (await runningPostmaster(directory)) !== undefined,
  sample: samplePages,
  settle: settleCopy,
  home: dataDirectoryHere,
  parts: tableParts,
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
