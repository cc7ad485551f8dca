/** The replication slot that keeps WAL on production until it is safe here: one for each store, ours alone. */
import { createHash } from 'node:crypto';
import { sleepMs, systemClock } from '#base';
import { type ReplicationConnection, type SqlConnection, sqlState } from '../connection/index.ts';
import { errors } from '../errors.ts';
import { parseLsn } from '../lsn.ts';

const LONGEST_NAME = 63;
const DROP_DEADLINE_MS = 20_000;
const OBJECT_IN_USE = '55006';
const UNDEFINED_OBJECT = '42704';
const CONFIGURATION_LIMIT = '53400';

/**
 * `holdfast_<environment>_<stage>_<store>` in the letters that slots may have. It ends in a digest where it would be too
 * long, or where a `-` that had to be written as `_` could make two addresses alike.
 */
export function slotName(address: { environment: string; stage: string; name: string }): string {
  const exact = `holdfast_${address.environment}_${address.stage}_${address.name}`;
  const name = exact.toLowerCase().replace(/[^a-z0-9_]/g, '_');
  if (name === exact && name.length <= LONGEST_NAME) return name;
  const digest = createHash('sha256').update(exact).digest('hex').slice(0, 8);
  return `${name.slice(0, LONGEST_NAME - 9)}_${digest}`;
}

export type SlotStatus = {
  /** Undefined where it isn't there. */
  slot:
    | {
        physical: boolean;
        /** Process that streams from it now. */
        activePid: number | undefined;
        /** From here on the server keeps WAL; undefined where it keeps none (lost, or never begun). */
        keepsFrom: bigint | undefined;
      }
    | undefined;
  /** End of the server's WAL. */
  serverEnd: bigint;
  segmentSizeBytes: number;
};

type StatusRow = {
  slot_type: string | null;
  active_pid: number | null;
  restart_lsn: string | null;
  lost: boolean | null;
  server_end: string;
  segment_size: string;
};

export async function readSlot(sql: SqlConnection, name: string): Promise<SlotStatus> {
  const [row] = await sql.query<StatusRow>(
    `select s.slot_type, s.active_pid, s.restart_lsn::text, s.wal_status = 'lost' as lost,
       (case when pg_is_in_recovery()
         then coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
         else pg_current_wal_flush_lsn() end)::text as server_end,
       pg_size_bytes(current_setting('wal_segment_size'))::text as segment_size
     from (select 1) one left join pg_replication_slots s on s.slot_name = $1`,
    [name],
  );
  const serverEnd = parseLsn(row?.server_end ?? '');
  if (!row || serverEnd === undefined) throw errors.protocolBroken(['it tells no WAL position']);
  return {
    slot:
      row.slot_type === null
        ? undefined
        : {
            physical: row.slot_type === 'physical',
            activePid: row.active_pid ?? undefined,
            keepsFrom: row.lost ? undefined : parseLsn(row.restart_lsn ?? ''),
          },
    serverEnd,
    segmentSizeBytes: Number(row.segment_size),
  };
}

export type ReadySlot = { keepsFrom: bigint; serverEnd: bigint; segmentSizeBytes: number };

/**
 * The slot as it must be to stream from it: there, physical, keeping WAL, used by nobody. One that is lost is made anew.
 * `formerPid`: the server's process that streamed to us before, which is ended where it still holds the slot.
 * @throws postgres/slot-taken, postgres/slot-busy, postgres/no-free-slot
 */
export async function readySlot(
  sql: SqlConnection,
  link: ReplicationConnection,
  name: string,
  formerPid: number | undefined,
): Promise<ReadySlot> {
  const { slot } = await readSlot(sql, name);
  if (slot && !slot.physical) throw errors.slotTaken([name]);
  if (slot?.activePid !== undefined) {
    if (slot.activePid === formerPid) await endSender(sql, name, slot.activePid);
    throw errors.slotBusy([name]);
  }
  if (slot && slot.keepsFrom === undefined) await dropSlot(sql, name);
  if (slot?.keepsFrom === undefined) await createSlot(link, name);
  const { slot: ready, serverEnd, segmentSizeBytes } = await readSlot(sql, name);
  if (ready?.keepsFrom === undefined) throw errors.protocolBroken(['its new slot keeps no WAL']);
  return { keepsFrom: ready.keepsFrom, serverEnd, segmentSizeBytes };
}

async function createSlot(link: ReplicationConnection, name: string): Promise<void> {
  try {
    await link.query(`CREATE_REPLICATION_SLOT "${name}" PHYSICAL RESERVE_WAL`);
  } catch (error) {
    if (serverState(error) === CONFIGURATION_LIMIT) throw errors.noFreeSlot([name]);
    throw error;
  }
}

/**
 * Removes the slot, after ending whoever streams from it: it is ours by its name. Does nothing where it isn't there.
 * @throws postgres/slot-stays
 */
export async function dropSlot(sql: SqlConnection, name: string): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + DROP_DEADLINE_MS;
  for (;;) {
    const { slot } = await readSlot(sql, name);
    if (slot === undefined) return;
    if (slot.activePid !== undefined) await endSender(sql, name, slot.activePid);
    try {
      await sql.query('select pg_drop_replication_slot($1)', [name]);
      return;
    } catch (error) {
      const state = serverState(error);
      if (state === UNDEFINED_OBJECT) return;
      if (state !== OBJECT_IN_USE || systemClock.monotonicMs() > deadlineMs) {
        throw errors.slotStays([name], { cause: error });
      }
    }
    await sleepMs(100);
  }
}

/** Ends this process where it still streams from the slot. */
async function endSender(sql: SqlConnection, name: string, pid: number): Promise<void> {
  await sql.query(
    'select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1 and active_pid = $2',
    [name, pid],
  );
}

/** SQLSTATE that the server gave for a command that failed. */
function serverState(error: unknown): string | undefined {
  return sqlState(error instanceof Error && error.cause !== undefined ? error.cause : error);
}

/** The server has thrown away the WAL asked for. */
export function isWalRemoved(error: unknown): boolean {
  const UNDEFINED_FILE = '58P01';
  return serverState(error) === UNDEFINED_FILE;
}
