/** A merge taken back: what it inserted goes, what it updated is what it was; what somebody changed since stays. */

import type { ProductionPlace, UndoneTable } from '../../parts.ts';
import type { SourceContext } from '../../source.ts';
import { errors, quoteIdentifier } from '../errors.ts';
import { writeFailure } from './failures.ts';
import { connectToProduction, type Session } from './sessions.ts';
import { type KeptTable, keptTablesOf, MERGES } from './undo-log.ts';

/** One transaction, all or nothing. @throws postgres/already-undone, and what a write may throw */
export async function undoMerge(
  place: ProductionPlace,
  id: string,
  database: string | undefined,
  context: SourceContext,
): Promise<UndoneTable[] | undefined> {
  const production = await connectToProduction(place, database, context);
  try {
    const [known] = await production.query<{ is: boolean }>(
      'select to_regclass($1) is not null as is',
      [MERGES],
    );
    if (known?.is !== true) return undefined;
    await production.query('begin');
    try {
      const undone = await undoIn(production, id);
      await production.query(undone === undefined ? 'rollback' : 'commit');
      return undone;
    } catch (error) {
      await production.query('rollback').catch(() => {});
      throw await writeFailure(error, production);
    }
  } finally {
    await production.close();
  }
}

async function undoIn(production: Session, id: string): Promise<UndoneTable[] | undefined> {
  const [merge] = await production.query<{ tables: KeptTable[]; undone: boolean }>(
    `select tables, undone_at is not null as undone from ${MERGES} where id = $1 for update`,
    [id],
  );
  if (!merge) return undefined;
  if (merge.undone) throw errors.alreadyUndone([id]);
  await production.query('set constraints all deferred');
  const parts = merge.tables.flatMap((table, at) => statementsFor(table, id, at));
  const counts = merge.tables.flatMap((_, at) => [
    `(select count(*) from d${at})::text`,
    `(select count(*) from u${at})::text`,
    `((select count(*) from ${keptTablesOf(id, at).inserted}) + (select count(*) from ${keptTablesOf(id, at).after}))::text`,
  ]);
  const [row] = await production.query<{ counts: string[] }>(
    `with ${parts.join(',\n')} select array[${counts.join(', ')}] as counts`,
  );
  const numbers = (row?.counts ?? []).map(Number);
  for (const at of merge.tables.keys()) {
    const { inserted, before, after } = keptTablesOf(id, at);
    await production.query(`drop table ${inserted}, ${before}, ${after}`);
  }
  await production.query(`update ${MERGES} set undone_at = now() where id = $1`, [id]);
  return merge.tables.map(({ name }, at) => {
    const [removed = 0, restored = 0, all = 0] = numbers.slice(3 * at);
    return { table: name, removed, restored, changedSince: all - removed - restored };
  });
}

function statementsFor({ target, key, columns, digest }: KeptTable, id: string, at: number) {
  const kept = keptTablesOf(id, at);
  const on = (alias: string) =>
    key
      .map((name) => `t.${quoteIdentifier(name)} = ${alias}.${quoteIdentifier(name)}`)
      .join(' and ');
  const set = columns.map((name) => `${quoteIdentifier(name)} = b.${quoteIdentifier(name)}`);
  const using = key.map(quoteIdentifier).join(', ');
  return [
    `d${at} as (delete from ${target} t using ${kept.inserted} k
       where ${on('k')} and ${digest} = k.holdfast_digest returning 1)`,
    set.length === 0
      ? `u${at} as (select 1 where false)`
      : `u${at} as (update ${target} t set ${set.join(', ')}
       from ${kept.before} b join ${kept.after} k using (${using})
      where ${on('b')} and ${digest} = k.holdfast_digest returning 1)`,
  ];
}
