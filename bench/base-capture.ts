/** One base backup of a server into a repository, as the control plane takes it; a process of its own to be measured. */
import { quietLogger, Secret, silent } from '#base';
import { openStorage, unlockRepository } from '#repository/unlock';
import { boundHeapGrowth } from '../src/cli/frame/heap-growth.ts';

/** The variables that tell it what to do. */
const { BENCH_REPOSITORY, BENCH_PASSWORD, BENCH_URL, BENCH_STATE, BENCH_CHUNK } = process.env;
boundHeapGrowth();
// As the commands do: the key is derived while all else is loaded.
const deriving = Promise.withResolvers<void>();
const unlocking = BENCH_REPOSITORY ? unlock(BENCH_REPOSITORY) : undefined;
if (unlocking) await Promise.race([deriving.promise, unlocking]);
const { captureStore } = await import('#capture');
const { openUnlocked } = await import('#repository');
const { findSource } = await import('#sources');
const source = findSource('postgres');
if (!unlocking || !BENCH_URL || !BENCH_STATE || !source) {
  throw new Error('BENCH_REPOSITORY, BENCH_PASSWORD, BENCH_URL and BENCH_STATE must be set');
}
const repository = await openUnlocked(await unlocking);
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

async function unlock(location: string) {
  const storage = await openStorage(location);
  return unlockRepository(storage, new Secret(BENCH_PASSWORD ?? ''), deriving.resolve);
}
