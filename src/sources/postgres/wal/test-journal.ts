/** A store and its running stream, for tests. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { quietLogger } from '#base';
import type { JournalSource, SourceContext, StoreSettings } from '../../source.ts';
import { type PostgresConfig, postgresSchema } from '../config.ts';
import { parseLsn } from '../lsn.ts';
import { type TestServer, until } from '../test-server.ts';
import type { StreamTiming } from './receive.ts';
import { postgresJournal } from './stream.ts';
import { walBytes } from './test-segments.ts';
import { MemorySink } from './test-sink.ts';

/** The product's but quicker, so that a test needn't wait long. */
const QUICK: StreamTiming = {
  statusMs: 100,
  pingAfterMs: 300,
  deadAfterMs: 20_000,
  shutdownGraceMs: 500,
  limitCheckMs: 200,
  backoffMs: { first: 50, longest: 400 },
};

export type TestJournal = {
  sink: MemorySink;
  source: JournalSource;
  /** Starts to stream into the sink, with these fields of the store changed; what the stream ended with. */
  run(changes?: Record<string, unknown>): { stopped: Promise<void>; stop(): Promise<void> };
  /** Ends what runs. */
  stop(): Promise<void>;
  /** Ends what runs; removes the state folder. */
  close(): Promise<void>;
};

export async function testJournal(
  url: string,
  own: Record<string, unknown> = {},
  changedTiming: Partial<StreamTiming> = {},
): Promise<TestJournal> {
  const timing = { ...QUICK, ...changedTiming };
  const stateFolder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-journal-'));
  const storeWith = (changes: Record<string, unknown>): StoreSettings<PostgresConfig> => ({
    name: 'orders',
    environment: 'shop',
    stage: 'test',
    rpoMs: 0,
    protect: { kind: 'continuous' },
    own: postgresSchema.parse({ url, ...own, ...changes }),
  });
  const context = (signal: AbortSignal): SourceContext => ({
    log: quietLogger,
    progress: () => {},
    signal,
    stateFolder,
  });
  const sink = new MemorySink();
  const ending: (() => Promise<void>)[] = [];
  const stopAll = async () => {
    await Promise.allSettled(ending.map((stop) => stop()));
  };
  return {
    sink,
    source: postgresJournal(storeWith({}), context(new AbortController().signal), timing),
    run(changes = {}) {
      const abort = new AbortController();
      const source = postgresJournal(storeWith(changes), context(abort.signal), timing);
      const stopped = source.stream(sink, sink.onState);
      // Awaited by the test or at the end; until then it isn't unhandled.
      stopped.catch(() => {});
      const stop = async () => {
        abort.abort();
        await stopped;
      };
      ending.push(stop);
      return { stopped, stop };
    },
    stop: stopAll,
    async close() {
      await stopAll();
      await fs.rm(stateFolder, { recursive: true, force: true });
    },
  };
}

export async function flushedLsn(server: TestServer): Promise<bigint> {
  const [row] = await server.sql('select pg_current_wal_flush_lsn()::text as lsn');
  return parseLsn(String(row?.lsn)) as bigint;
}

export async function caughtUp(server: TestServer, sink: MemorySink): Promise<bigint> {
  const end = await flushedLsn(server);
  await until(async () => (sink.end?.offset ?? 0n) >= end, 'the stream to catch up');
  return end;
}

/** Every byte that came, against the files of the server; what came of a timeline is unbroken. */
export async function expectServersBytes(
  server: TestServer,
  runs: MemorySink['runs'],
  segmentSizeBytes = 2 ** 24,
): Promise<void> {
  for (const run of runs) {
    // The stream goes on meanwhile.
    const bytes = Buffer.concat(run.parts);
    const to = run.from + BigInt(bytes.length);
    const expected = await walBytes(server, {
      line: run.line,
      from: run.from,
      to,
      segmentSizeBytes,
    });
    expect(bytes.equals(expected)).toBe(true);
  }
  for (const [index, run] of runs.entries()) {
    const before = runs[index - 1];
    if (before?.line === run.line) expect(run.from).toBeLessThanOrEqual(before.to);
  }
}

export async function slots(server: TestServer): Promise<Record<string, unknown>[]> {
  return await server.sql(
    "select slot_name, active, restart_lsn::text from pg_replication_slots where slot_name like 'holdfast%'",
  );
}
