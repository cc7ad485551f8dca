/** A store and its running stream, for tests. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { quietLogger } from '#base';
import type { JournalSource, SourceContext, StoreSettings } from '../../source.ts';
import { type PostgresConfig, postgresSchema } from '../config.ts';
import { postgresJournal } from './stream.ts';
import { MemorySink } from './test-sink.ts';

/** The product's, but that a test needn't wait long for a cut to be noticed. */
const QUICK = {
  statusMs: 100,
  pingAfterMs: 300,
  deadAfterMs: 1500,
  shutdownGraceMs: 500,
  limitCheckMs: 200,
  backoffMs: { first: 50, longest: 400 },
};

export type TestJournal = {
  sink: MemorySink;
  source: JournalSource;
  /** Starts to stream into the sink; what the stream ended with. */
  run(sink?: MemorySink): { stopped: Promise<void>; stop(): Promise<void> };
  /** Ends what runs; removes the state folder. */
  close(): Promise<void>;
};

export async function testJournal(
  url: string,
  own: Record<string, unknown> = {},
): Promise<TestJournal> {
  const stateFolder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-journal-'));
  const store: StoreSettings<PostgresConfig> = {
    name: 'orders',
    environment: 'shop',
    stage: 'test',
    rpoMs: 0,
    protect: { kind: 'continuous' },
    own: postgresSchema.parse({ url, ...own }),
  };
  const context = (signal: AbortSignal): SourceContext => ({
    log: quietLogger,
    progress: () => {},
    signal,
    stateFolder,
  });
  const sink = new MemorySink();
  const ending: (() => Promise<void>)[] = [];
  return {
    sink,
    source: postgresJournal(store, context(new AbortController().signal), QUICK),
    run(into = sink) {
      const abort = new AbortController();
      const stopped = postgresJournal(store, context(abort.signal), QUICK).stream(
        into,
        into.onState,
      );
      // Awaited by the test or at the end; until then it isn't unhandled.
      stopped.catch(() => {});
      const stop = async () => {
        abort.abort();
        await stopped;
      };
      ending.push(stop);
      return { stopped, stop };
    },
    async close() {
      await Promise.allSettled(ending.map((stop) => stop()));
      await fs.rm(stateFolder, { recursive: true, force: true });
    },
  };
}
