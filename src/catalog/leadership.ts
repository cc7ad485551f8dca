/**
 * Of the control planes that share a catalog one leads: it alone protects, schedules and answers. A lock of a session
 * of its own says who; the database frees it when that process dies, and one that stands by gets it. A session that
 * breaks ends nothing: the leader goes on and takes the lock again, unless another one has led since.
 */
import pg from 'pg';
import { isHoldfastError, type Logger, messageOf, type Secret, sleepMs } from '#base';
import { assertOwnership, type Ownership, takeOwnership } from './queries/owner.ts';

export type Contender = {
  /** Must lead to the server itself: a pooler that shares sessions would share the lock, too. */
  url: Secret;
  pool: pg.Pool;
  /** Used where the catalog has no id yet. */
  proposedId: string;
  /** Told to the others. */
  holder: string;
  log: Logger;
};

export interface Leadership {
  readonly ownership: Ownership;
  /** Rejects with `catalog/fenced` when another one leads; pending as long as this one does. */
  readonly lost: Promise<never>;
  /** Lets another one lead. May be called twice. */
  release(): Promise<void>;
}

/** Any fixed number; the next one after that of migrations. */
const LOCK = 4_870_331_103;
const HEARTBEAT_MS = 5_000;
const ANSWER_WITHIN_MS = 10_000;
const AGAIN_AFTER_MS = 1_000;

/** Undefined where another one leads. Rejects where the database can't be reached. */
export async function tryToLead(contender: Contender): Promise<Leadership | undefined> {
  const session = await lockedSession(contender.url);
  if (!session) return undefined;
  try {
    const { pool, proposedId, holder } = contender;
    return new Lead(contender, session, await takeOwnership(pool, proposedId, holder));
  } catch (error) {
    await session.end();
    throw error;
  }
}

/** Tries once a second until it leads; undefined when aborted. A database that is away meanwhile is waited for. */
export async function waitToLead(
  contender: Contender,
  signal: AbortSignal,
): Promise<Leadership | undefined> {
  while (!signal.aborted) {
    try {
      const leadership = await tryToLead(contender);
      if (leadership) return leadership;
    } catch (error) {
      contender.log.warn({ what: messageOf(error) }, 'the catalog is out of reach');
    }
    await pause(signal);
  }
  return undefined;
}

class Lead implements Leadership {
  readonly ownership: Ownership;
  readonly lost: Promise<never>;
  readonly #contender: Contender;
  readonly #stop = new AbortController();
  readonly #keeping: Promise<void>;

  constructor(contender: Contender, session: pg.Client, ownership: Ownership) {
    this.ownership = ownership;
    this.#contender = contender;
    const lost = Promise.withResolvers<never>();
    this.lost = lost.promise;
    lost.promise.catch(() => {
      // Told to whoever waits for it; nobody does after a release.
    });
    this.#keeping = this.#keep(session, lost.reject);
  }

  async release(): Promise<void> {
    this.#stop.abort();
    await this.#keeping;
  }

  async #keep(first: pg.Client, lose: (error: unknown) => void): Promise<void> {
    const { signal } = this.#stop;
    let session: pg.Client | undefined = first;
    while (session) {
      await untilBroken(session, signal);
      await session.end().catch(() => {
        // It was broken already.
      });
      try {
        session = await this.#regained();
      } catch (error) {
        lose(error);
        return;
      }
    }
  }

  /** Undefined when released. Rejects with `catalog/fenced`. */
  async #regained(): Promise<pg.Client | undefined> {
    const { url, pool, log } = this.#contender;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let session: pg.Client | undefined;
      try {
        session = await lockedSession(url);
        await assertOwnership(pool, this.ownership);
        if (session) return session;
      } catch (error) {
        await session?.end().catch(() => {
          // The database is away: so is its session.
        });
        if (isHoldfastError(error, 'catalog/fenced')) throw error;
        log.warn({ what: messageOf(error) }, 'the catalog is out of reach; protection goes on');
      }
      await pause(signal);
    }
    return undefined;
  }
}

/** Undefined where another session has the lock. */
async function lockedSession(url: Secret): Promise<pg.Client | undefined> {
  const session = new pg.Client({
    connectionString: url.reveal(),
    connectionTimeoutMillis: ANSWER_WITHIN_MS,
    query_timeout: ANSWER_WITHIN_MS,
    keepAlive: true,
    application_name: 'holdfast leader',
    // The server frees the lock of a host that has vanished after these 25 s.
    options: '-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3',
  });
  session.on('error', () => {
    // The query under way rejects, or `untilBroken` sees the end.
  });
  await session.connect();
  try {
    const { rows } = await session.query<{ got: boolean }>(
      'select pg_try_advisory_lock($1) as got',
      [LOCK],
    );
    if (rows[0]?.got) return session;
  } catch (error) {
    await session.end();
    throw error;
  }
  await session.end();
  return undefined;
}

/** Resolves when the session has ended, answers no more, or the signal aborts. */
async function untilBroken(session: pg.Client, signal: AbortSignal): Promise<void> {
  const ended = new AbortController();
  session.once('end', () => ended.abort());
  session.once('error', () => ended.abort());
  const either = AbortSignal.any([ended.signal, signal]);
  while (!either.aborted) {
    try {
      await session.query('select 1');
      await sleepMs(HEARTBEAT_MS, either);
    } catch {
      // No answer, or an end: both break it.
      return;
    }
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  await sleepMs(AGAIN_AFTER_MS, signal).catch(() => {
    // The loops end by the signal itself.
  });
}
