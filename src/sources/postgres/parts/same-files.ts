/**
 * Tables whose rows need not be read to know that they are the same in two copies of one base: nothing was written to
 * their files in either, and no transaction was under way at the one instant and committed by the other (else the same
 * bytes would show other rows).
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { systemCode } from '#base';
import type { CopyPlace } from '../../parts.ts';
import type { Session } from './sessions.ts';
import type { TableName } from './tables.ts';

export type Side = { session: Session; place: CopyPlace };

/** Files of a table, its partitions and what they keep out of line; undefined where one has none of its own. */
async function filesOf({ session }: Side, { oid }: TableName): Promise<string[] | undefined> {
  const rows = await session.query<{ file: string | null }>(
    `with relations as (
       select relid as oid from pg_partition_tree($1::oid::regclass)
       union select $1::oid)
     select pg_relation_filepath(r.oid) as file
       from relations join pg_class c using (oid)
       cross join lateral (values (c.oid), (nullif(c.reltoastrelid, 0))) r(oid)
      where c.relkind = 'r' and r.oid is not null
      order by r.oid`,
    [oid],
  );
  const files = rows.map(({ file }) => file);
  return files.every((file) => file !== null) ? files : undefined;
}

/** Whether nothing was written to any of these files in either copy since they were begun. */
export async function haveSameFiles(
  { before, after }: { before: Side; after: Side },
  tables: { before: TableName; after: TableName },
  begunMs: number,
): Promise<boolean> {
  const one = await filesOf(before, tables.before);
  const two = await filesOf(after, tables.after);
  if (!one || !two || one.join('\n') !== two.join('\n')) return false;
  const untilNs = BigInt(Math.floor(begunMs) - CLOCK_SLACK_MS) * 1_000_000n;
  for (const file of one) {
    for (let part = 0; ; part += 1) {
      const name = part === 0 ? file : `${file}.${part}`;
      const a = await lookAt(path.join(before.place.directory, name));
      const b = await lookAt(path.join(after.place.directory, name));
      if (a === undefined && b === undefined) break;
      if (a?.size !== b?.size || a?.mtimeNs !== b?.mtimeNs) return false;
      // Two copies may be written to at the same tick of the clock: equal times alone say nothing.
      if (a === undefined || a.mtimeNs >= untilNs) return false;
    }
  }
  return true;
}

/** A file's time may lag a little behind the clock. */
const CLOCK_SLACK_MS = 1_000;

async function lookAt(file: string): Promise<{ size: bigint; mtimeNs: bigint } | undefined> {
  try {
    return await fs.stat(file, { bigint: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Whether every transaction that the later copy shows as committed was decided at the earlier instant already, or had
 * not begun. By the commit logs (`pg_xact`: two bits for each transaction), once a checkpoint has written them.
 */
export async function noneStraddles(before: Side, after: Side): Promise<boolean> {
  const [next] = await before.session.query<{ id: string }>(
    'select pg_snapshot_xmax(pg_current_snapshot())::text as id',
  );
  await Promise.all([before.session.query('checkpoint'), after.session.query('checkpoint')]);
  const nextId = Number(BigInt(next?.id ?? 0) & 0xffff_ffffn);
  const folder = (side: Side) => path.join(side.place.directory, 'pg_xact');
  for (const name of (await fs.readdir(folder(before))).sort()) {
    const firstId = Number.parseInt(name, 16) * IDS_IN_FILE;
    const one = await fs.readFile(path.join(folder(before), name));
    const two = await fs.readFile(path.join(folder(after), name)).catch((error: unknown) => {
      // The later one has forgotten them: nothing is known.
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (two === undefined || straddlesIn(one, two, firstId, nextId)) return false;
  }
  return true;
}

const IDS_IN_FILE = 1_048_576;
const IDS_IN_BYTE = 4;
const COMMITTED = 1;
const ABORTED = 2;

function straddlesIn(one: Buffer, two: Buffer, firstId: number, nextId: number): boolean {
  for (let at = 0; at < one.length; at += 1) {
    const [a = 0, b = 0] = [one[at], two[at]];
    if (a === b && a === 0x55) continue;
    for (let slot = 0; slot < IDS_IN_BYTE; slot += 1) {
      if (firstId + at * IDS_IN_BYTE + slot >= nextId) break;
      const [early, late] = [(a >> (2 * slot)) & 3, (b >> (2 * slot)) & 3];
      // A part of a larger one (3) is decided with it, which is another of these.
      if (early !== COMMITTED && early !== ABORTED && late === COMMITTED) return true;
    }
  }
  return false;
}
