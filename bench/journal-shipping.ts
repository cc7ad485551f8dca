/**
 * A journal on its way into a repository, as a control plane ships it; a process of its own, so that whoever looks from
 * outside isn't slowed down by it. Captures a base at each line on its standard input, and answers each by a line of
 * JSON; ends with its input.
 */
import path from 'node:path';
import { createInterface } from 'node:readline';
import { quietLogger, Secret, silent } from '#base';
import { captureStore, openJournalShipping } from '#capture';
import { openRepository, openStorage } from '#repository';
import { findSource, type SourceContext } from '#sources';

/** The variables that tell it what to do. */
const { BENCH_REPOSITORY, BENCH_PASSWORD, BENCH_URL, BENCH_STATE } = process.env;
const source = findSource('postgres');
if (!BENCH_REPOSITORY || !BENCH_PASSWORD || !BENCH_URL || !BENCH_STATE || !source?.journal) {
  throw new Error('BENCH_REPOSITORY, BENCH_PASSWORD, BENCH_URL and BENCH_STATE must be set');
}
const storage = await openStorage(BENCH_REPOSITORY);
const repository = await openRepository({ storage, password: new Secret(BENCH_PASSWORD) });
const stop = new AbortController();
const context: SourceContext = {
  log: quietLogger,
  progress: silent,
  signal: stop.signal,
  stateFolder: BENCH_STATE,
};
const store = {
  name: 'database',
  environment: 'bench',
  stage: 'production',
  rpoMs: 5_000,
  protect: { kind: 'continuous' as const },
  own: source.schema.parse({ url: BENCH_URL }) as Record<string, unknown>,
};
const shipping = await openJournalShipping({
  repository,
  address: { environment: 'bench', stage: 'production', store: 'database' },
  source: 'postgres',
  spoolFolder: path.join(BENCH_STATE, 'spool'),
  log: quietLogger,
});
const journal = source.journal(store, context);
const streaming = journal
  .stream(shipping, () => {})
  .catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
for await (const _asked of createInterface({ input: process.stdin })) {
  const { statistics } = await captureStore({ repository, source, store, context });
  process.stdout.write(`${JSON.stringify({ bytes: statistics.bytes })}\n`);
}
stop.abort(new Error('the benchmark has ended'));
await streaming;
await shipping.close();
await journal.dispose();
await repository.close();
