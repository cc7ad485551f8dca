/** Sequences that give a table's columns their values stay ahead of what was put there by hand. */
import { quoteIdentifier } from '../errors.ts';
import type { Pair } from './pairing.ts';
import type { Session } from './sessions.ts';

/** Owned by the column, or named by its default. */
const SEQUENCES = `
  select distinct a.attname as column, n.nspname as schema, s.relname as name, q.seqincrement < 0 as "isDown"
    from pg_attribute a
    left join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
    join pg_depend d
      on (d.refclassid = 'pg_class'::regclass and d.refobjid = a.attrelid and d.refobjsubid = a.attnum
          and d.classid = 'pg_class'::regclass and d.deptype in ('a', 'i'))
      or (d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass)
    join pg_class s on s.relkind = 'S' and s.oid in (d.objid, d.refobjid)
    join pg_namespace n on n.oid = s.relnamespace
    join pg_sequence q on q.seqrelid = s.oid
   where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped`;

type Owned = { column: string; schema: string; name: string; isDown: boolean };

/** A sequence that is ahead already is left alone: nobody else needs to be kept from it. */
export async function advanceSequences(
  production: Session,
  pair: Pair,
  stage: string,
): Promise<void> {
  const owned = await production.query<Owned>(SEQUENCES, [pair.target.oid]);
  const shared = new Set(pair.columns.map(({ name }) => name));
  for (const { column, schema, name, isDown } of owned.filter((one) => shared.has(one.column))) {
    const sequence = `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
    const [farthest, isBehind] = isDown ? ['min', '>'] : ['max', '<'];
    await production.query(
      `select setval($1::regclass, m.value)
         from (select ${farthest}(${quoteIdentifier(column)}::bigint) as value from ${stage}
                where holdfast_change = 'insert') m, ${sequence} q
        where q.last_value ${isBehind} m.value
           or (q.last_value = m.value and not q.is_called)`,
      [sequence],
    );
  }
}
