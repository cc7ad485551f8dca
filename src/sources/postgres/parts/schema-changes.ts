/** What differs in the definition of a table, as lines that say what came and what went. */
import type { Session } from './sessions.ts';
import { shownName, type Table } from './tables.ts';

/** Each as its catalog function writes it, so that the same definition is the same text. */
const DEFINITIONS = `
  select 'column ' || quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
           || case when a.attnotnull then ' not null' else '' end
           || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') as line
    from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
   where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
  union all
  select 'constraint ' || quote_ident(conname) || ' ' || pg_get_constraintdef(oid)
    from pg_constraint where conrelid = $1 and contype <> 'n'
  union all
  select pg_get_indexdef(i.indexrelid) from pg_index i
   where i.indrelid = $1
     and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.conrelid = $1)
  union all
  select pg_get_triggerdef(oid) from pg_trigger where tgrelid = $1 and not tgisinternal
  order by 1`;

const linesOf = async (side: Session, { oid }: Table): Promise<string[]> =>
  (await side.query<{ line: string }>(DEFINITIONS, [oid])).map(({ line }) => line);

export async function schemaChanges(
  before: Session,
  after: Session,
  tables: { before: Table; after: Table },
): Promise<string[]> {
  const [one, two] = [await linesOf(before, tables.before), await linesOf(after, tables.after)];
  const [had, has] = [new Set(one), new Set(two)];
  const renamed = shownName(tables.before) !== shownName(tables.after);
  return [
    ...(renamed ? [`renamed from ${shownName(tables.before)}`] : []),
    ...one.filter((line) => !has.has(line)).map((line) => `- ${line}`),
    ...two.filter((line) => !had.has(line)).map((line) => `+ ${line}`),
  ];
}
