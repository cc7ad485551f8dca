/**
 * What a standby knows of the server that it follows. The stream from a standby carries the standby's clock: it tells
 * when something was passed on, not when there was nothing more to pass. Until when a journal from a standby is whole
 * is therefore asked by SQL: the standby's WAL receiver keeps what the primary last said of its own end, and when.
 */
import { systemClock } from '#base';
import type { SqlConnection } from '../connection/index.ts';
import { parseLsn } from '../lsn.ts';

/** What was committed by `atMs` (the primary's clock) lies before `end`. */
export type Standing = { end: bigint; atMs: number };

export type Upstream = {
  isStandby: boolean;
  /** The latest known of these; undefined where nothing is known. */
  standing?: Standing;
  /** The same by the commit that was replayed last: older, but no further than what has been replayed. */
  replayed?: Standing;
  /** It receives WAL from somewhere now. */
  isFollowing: boolean;
  /** Age of what is known of the standing. */
  ageMs: number;
  /** The primary's clock minus the standby's, less the time that a message took; undefined where none was seen. */
  clockOffsetMs?: number;
};

type Row = {
  standby: boolean;
  receiver: number | null;
  said_end: string | null;
  said_ms: number | null;
  heard_ms: number | null;
  now_ms: number;
  replayed: string | null;
  replayed_ms: number | null;
};

const QUESTION = `
  select pg_is_in_recovery() as standby, r.pid as receiver, r.latest_end_lsn::text as said_end,
         (extract(epoch from r.last_msg_send_time) * 1000)::float8 as said_ms,
         (extract(epoch from r.last_msg_receipt_time) * 1000)::float8 as heard_ms,
         (extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms,
         pg_last_wal_replay_lsn()::text as replayed,
         (extract(epoch from pg_last_xact_replay_timestamp()) * 1000)::float8 as replayed_ms
    from (select 1) one left join pg_stat_wal_receiver r on true`;

const NOT_A_STANDBY: Upstream = { isStandby: false, isFollowing: false, ageMs: 0 };

export async function readUpstream(sql: SqlConnection): Promise<Upstream> {
  const [row] = await sql.query<Row>(QUESTION);
  return row?.standby ? upstreamOf(row) : NOT_A_STANDBY;
}

function upstreamOf(row: Row): Upstream {
  const { said_end, said_ms, heard_ms, now_ms, replayed_ms } = row;
  const known = { isStandby: true, isFollowing: row.receiver !== null };
  const replayedEnd = parseLsn(row.replayed ?? '');
  // Anybody may ask for this.
  const replayed =
    replayedEnd === undefined || replayed_ms === null
      ? undefined
      : { end: replayedEnd, atMs: replayed_ms };
  const end = parseLsn(said_end ?? '');
  // A receiver that has just begun shows its own start in place of a message.
  if (end !== undefined && said_ms !== null && heard_ms !== null && said_ms !== heard_ms) {
    return {
      ...known,
      standing: { end, atMs: said_ms },
      ...(replayed && { replayed }),
      ageMs: Math.max(0, now_ms - heard_ms),
      clockOffsetMs: said_ms - heard_ms,
    };
  }
  if (!replayed) return { ...known, ageMs: 0 };
  const ageMs = Math.max(0, now_ms - replayed.atMs);
  return { ...known, standing: replayed, replayed, ageMs };
}

/** Asks again and again, on a connection of its own, while the stream goes on. */
export class UpstreamWatch {
  readonly #open: () => Promise<SqlConnection>;
  readonly #timer: NodeJS.Timeout;
  #sql: SqlConnection | undefined;
  #asking: Promise<void> | undefined;
  #isClosed = false;
  #latest: Upstream;
  #askedAtMs = systemClock.monotonicMs();

  constructor(first: Upstream, open: () => Promise<SqlConnection>, everyMs: number) {
    this.#latest = first;
    this.#open = open;
    this.#timer = setInterval(() => this.#ask(), everyMs);
  }

  /** As it was when it was last asked; only the age goes on. */
  latest(): Upstream {
    const sinceMs = systemClock.monotonicMs() - this.#askedAtMs;
    return { ...this.#latest, ageMs: this.#latest.ageMs + sinceMs };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#asking;
    await this.#hangUp();
  }

  #ask(): void {
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = undefined;
    });
  }

  async #askOnce(): Promise<void> {
    try {
      this.#sql ??= await this.#open();
      this.#latest = await readUpstream(this.#sql);
      this.#askedAtMs = systemClock.monotonicMs();
      if (!this.#latest.isStandby) clearInterval(this.#timer);
    } catch {
      // What is known grows old, and is shown to; what is wrong with the server shows on the stream itself.
      await this.#hangUp();
    }
    if (this.#isClosed) await this.#hangUp();
  }

  async #hangUp(): Promise<void> {
    const sql = this.#sql;
    this.#sql = undefined;
    await sql?.close().catch(() => {
      // It is gone already.
    });
  }
}
