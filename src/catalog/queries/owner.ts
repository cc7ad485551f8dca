/**
 * Who leads. Each control plane that begins to lead takes the next epoch; one whose epoch is no longer the newest is
 * fenced and must stop.
 */
import type pg from 'pg';
import { errors } from '../errors.ts';

export type Ownership = {
  /** Stable name of the catalog's control plane, made once. */
  id: string;
  epoch: bigint;
};

/** `proposedId` is used only where the catalog has no id yet. */
export async function takeOwnership(
  pool: pg.Pool,
  proposedId: string,
  holder: string,
): Promise<Ownership> {
  const { rows } = await pool.query<{ id: string; epoch: string }>(
    `insert into control_plane as c (id, epoch, holder) values ($1, 1, $2)
     on conflict (only_one) do update set epoch = c.epoch + 1, holder = $2, taken_at = now()
     returning id, epoch`,
    [proposedId, holder],
  );
  const row = rows[0] as { id: string; epoch: string };
  return { id: row.id, epoch: BigInt(row.epoch) };
}

/** Undefined before anybody led. */
export async function readOwnership(
  pool: pg.Pool,
): Promise<(Ownership & { holder: string }) | undefined> {
  const { rows } = await pool.query<{ id: string; epoch: string; holder: string }>(
    'select id, epoch, holder from control_plane',
  );
  const [row] = rows;
  return row && { id: row.id, epoch: BigInt(row.epoch), holder: row.holder };
}

/** Throws `catalog/fenced` where a later epoch was taken. */
export async function assertOwnership(pool: pg.Pool, mine: Ownership): Promise<void> {
  const current = await readOwnership(pool);
  if (current?.epoch === mine.epoch) return;
  throw errors.fenced([current?.holder ?? 'unknown']);
}
