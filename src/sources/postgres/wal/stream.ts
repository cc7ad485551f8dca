/** The WAL journal of a Postgres store, streamed from a slot of its own. */
import type {
  JournalSink,
  JournalSource,
  JournalState,
  SourceContext,
  StoreSettings,
} from '../../source.ts';
import { DEFAULT_SLOT_LIMIT_BYTES, type PostgresConfig } from '../config.ts';
import { connectSql, isThisHost, parseConnectionUrl } from '../connection/index.ts';
import { Follower, type FollowerOptions } from './follow.ts';
import type { StreamTiming } from './receive.ts';
import { readRemembered } from './remembered.ts';
import { dropSlot, slotName } from './slot.ts';

const DEFAULT_TIMING: StreamTiming = {
  statusMs: 1000,
  pingAfterMs: 5000,
  deadAfterMs: 20_000,
  shutdownGraceMs: 5000,
  limitCheckMs: 10_000,
  backoffMs: { first: 250, longest: 10_000 },
};

/**
 * One `stream` of it may run at a time. `dispose` ends it.
 * @throws postgres/url-invalid
 */
export function postgresJournal(
  store: StoreSettings<PostgresConfig>,
  context: SourceContext,
  timing: StreamTiming = DEFAULT_TIMING,
): JournalSource {
  const settings = {
    ...parseConnectionUrl(store.own.url),
    applicationName: store.own.synchronousName,
  };
  const options: FollowerOptions = {
    settings,
    slot: store.own.slot ?? slotName(store),
    limitBytes: store.own.slotLimit ?? DEFAULT_SLOT_LIMIT_BYTES,
    stateFolder: context.stateFolder,
    log: context.log,
    timing,
  };
  const disposed = new AbortController();
  const running = new Set<Promise<void>>();
  return {
    sharesMachine: isThisHost(settings.host),
    async stream(sink: JournalSink, onState: (state: JournalState) => void) {
      const signal = AbortSignal.any([context.signal, disposed.signal]);
      const run = new Follower(options, sink, onState, signal).run();
      running.add(run);
      try {
        await run;
      } finally {
        running.delete(run);
      }
    },
    async dispose() {
      disposed.abort();
      // How a stream ended is told by its own promise.
      await Promise.allSettled(running);
      const remembered = await readRemembered(options.stateFolder);
      const sql = await connectSql(settings);
      try {
        for (const slot of new Set([options.slot, remembered?.slot ?? options.slot])) {
          await dropSlot(sql, slot);
        }
      } finally {
        await sql.close();
      }
    },
  };
}
