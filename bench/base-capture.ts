/** One base backup of a server into a repository, as the control plane takes it; a process of its own to be measured. */
import { quietLogger, Secret, silent } from '#base';
import { captureStore } from '#capture';
import { openRepository, openStorage } from '#repository';
import { findSource } from '#sources';

/** The variables that tell it what to do. */
const { BENCH_REPOSITORY, BENCH_PASSWORD, BENCH_URL, BENCH_STATE, BENCH_CHUNK } = process.env;
const source = findSource('postgres');
if (!BENCH_REPOSITORY || !BENCH_PASSWORD || !BENCH_URL || !BENCH_STATE || !source) {
  throw new Error('BENCH_REPOSITORY, BENCH_PASSWORD, BENCH_URL and BENCH_STATE must be set');
}
const storage = await openStorage(BENCH_REPOSITORY);
const repository = await openRepository({ storage, password: new Secret(BENCH_PASSWORD) });
try {
  await captureStore({
    repository,
    source,
    store: {
      name: 'database',
      environment: 'bench',
      stage: 'production',
      rpoMs: 60_000,
      protect: { kind: 'every', everyMs: 60_000 },
      own: source.schema.parse({
        url: BENCH_URL,
        ...(BENCH_CHUNK && { chunkSize: BENCH_CHUNK }),
      }) as Record<string, unknown>,
    },
    context: {
      log: quietLogger,
      progress: silent,
      signal: new AbortController().signal,
      stateFolder: BENCH_STATE,
    },
  });
} finally {
  await repository.close();
}
