/** Tables as the catalog of one side describes them. */
import { errors, quoteIdentifier } from '../errors.ts';
import type { Session } from './sessions.ts';

export type Column = {
  name: string;
  /** As DDL writes it: `numeric(10,2)`, `sales.mood[]`. */
  type: string;
  typeId: number;
  isRequired: boolean;
  hasDefault: boolean;
  /** Computed from other columns: it can't be written. */
  isGenerated: boolean;
  isIdentity: boolean;
  /** `"C"`, where it isn't that of the type. */
  collation: string | undefined;
  /** Of a length that its type fixes, and of Postgres itself: its binary form is short and the same everywhere. */
  isFixed: boolean;
};

export type Table = {
  oid: number;
  schema: string;
  name: string;
  isPartitioned: boolean;
  columns: Column[];
  /** Names of the columns that identify a row: the primary key, else a unique index without nulls; else empty. */
  key: string[];
  /** Of triggers that people made. */
  triggers: string[];
};

export type TableName = { oid: number; schema: string; name: string };

export const shownName = ({ schema, name }: Pick<TableName, 'schema' | 'name'>): string =>
  schema === 'public' ? name : `${schema}.${name}`;

export const sqlName = ({ schema, name }: Pick<TableName, 'schema' | 'name'>): string =>
  `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;

/** Where what a merge replaced is kept: nothing that a store itself has. */
export const UNDO_SCHEMA = 'holdfast_undo';

/** All that hold rows of their own or of their partitions; a partition counts as part of its parent. */
export async function listTables(side: Session): Promise<TableName[]> {
  return await side.query<TableName>(`
    select c.oid::int8::float8 as oid, n.nspname as schema, c.relname as name
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and c.relpersistence <> 't' and not c.relispartition
       and n.nspname not in ('pg_catalog', 'information_schema', '${UNDO_SCHEMA}')
       and n.nspname !~ '^pg_(toast|temp)'
     order by 2, 3`);
}

/** `a`, `a.b`, `"A"."b c"` as SQL reads them; undefined where it is none of them. */
export function parseTableName(text: string): { schema?: string; name: string } | undefined {
  const part = '("(?:[^"]|"")+"|[^".]+)';
  const match = new RegExp(`^(?:${part}\\.)?${part}$`).exec(text.trim());
  if (!match) return undefined;
  const read = (word: string) =>
    word.startsWith('"') ? word.slice(1, -1).replaceAll('""', '"') : word;
  const name = read(match[2] as string);
  return match[1] === undefined ? { name } : { schema: read(match[1]), name };
}

/**
 * The one table that a person means: as written, else in lower case, as SQL would read it; in `public` where several
 * schemas have one.
 * @throws postgres/table-unknown, postgres/table-ambiguous
 */
export function findTable(given: string, known: readonly TableName[], where: string): TableName {
  const wanted = parseTableName(given);
  for (const fold of [(text: string) => text, (text: string) => text.toLowerCase()]) {
    const found = known.filter(
      ({ schema, name }) =>
        wanted !== undefined &&
        name === fold(wanted.name) &&
        (wanted.schema === undefined || schema === fold(wanted.schema)),
    );
    const one = found.length === 1 ? found[0] : found.find(({ schema }) => schema === 'public');
    if (one) return one;
    if (found.length > 1) throw errors.tableAmbiguous([given, found.map(shownName)]);
  }
  throw errors.tableUnknown([given, where, known.map(shownName)]);
}

const COLUMNS = `
  select a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
         a.atttypid::int8::float8 as "typeId", a.attnotnull as "isRequired",
         a.atthasdef as "hasDefault", a.attgenerated <> '' as "isGenerated",
         a.attidentity <> '' as "isIdentity",
         case when a.attcollation <> t.typcollation and l.oid is not null
              then quote_ident(ln.nspname) || '.' || quote_ident(l.collname) end as collation,
         t.typlen > 0 and t.oid < 16384 and t.typsend <> 0 as "isFixed"
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    left join pg_collation l on l.oid = a.attcollation
    left join pg_namespace ln on ln.oid = l.collnamespace
   where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
   order by a.attnum`;

/** The primary key before all others; else the one with the fewest columns. */
const KEY = `
  select array(select a.attname::text from unnest(i.indkey::int2[]) with ordinality k(num, at)
                 join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.num
                where k.at <= i.indnkeyatts order by k.at) as key
    from pg_index i
   where i.indrelid = $1 and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
     and not exists (select from unnest(i.indkey::int2[]) with ordinality k(num, at)
                       join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.num
                      where k.at <= i.indnkeyatts and not a.attnotnull)
   order by i.indisprimary desc, i.indnkeyatts, i.indexrelid limit 1`;

export async function describeTable(side: Session, table: TableName): Promise<Table> {
  const columns = await side.query<Omit<Column, 'collation'> & { collation: string | null }>(
    COLUMNS,
    [table.oid],
  );
  const [keyed] = await side.query<{ key: string[] }>(KEY, [table.oid]);
  const triggers = await side.query<{ name: string }>(
    'select tgname as name from pg_trigger where tgrelid = $1 and not tgisinternal order by 1',
    [table.oid],
  );
  const [kind] = await side.query<{ is: boolean }>(
    "select relkind = 'p' as is from pg_class where oid = $1",
    [table.oid],
  );
  return {
    ...table,
    isPartitioned: kind?.is === true,
    columns: columns.map((column) => ({ ...column, collation: column.collation ?? undefined })),
    key: keyed?.key ?? [],
    triggers: triggers.map(({ name }) => name),
  };
}
