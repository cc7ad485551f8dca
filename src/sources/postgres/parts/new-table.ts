/** Rows of a copy as a table of their own in production: columns, values and key, and nothing that could act. */
import { errors, quoteIdentifier } from '../errors.ts';
import { writeFailure } from './failures.ts';
import { FIRST_OWN_TYPE } from './pairing.ts';
import { pipe, type Session } from './sessions.ts';
import { sqlName, type Table } from './tables.ts';

const LONGEST_NAME_BYTES = 63;

/** `customers_20261121_193000`: the instant in UTC. */
export function defaultName(table: string, instantMs: number): string {
  const stamp = new Date(instantMs)
    .toISOString()
    .replace(/[-:]/g, '')
    .replace('T', '_')
    .slice(0, 15);
  let stem = table;
  while (Buffer.byteLength(`${stem}_${stamp}`) > LONGEST_NAME_BYTES) stem = stem.slice(0, -1);
  return `${stem}_${stamp}`;
}

export type NewTable = {
  from: Table;
  schema: string;
  name: string;
  where: string | undefined;
  /** Said of the table by its comment, by which a second run knows it. */
  origin: string;
};

/** What lies at the new name: nothing, what the same request made before, or something else (thrown). */
export async function standingOf(
  production: Session,
  { schema, name, origin }: NewTable,
): Promise<'absent' | 'done'> {
  const [found] = await production.query<{ said: string | null }>(
    `select obj_description(c.oid, 'pg_class') as said
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = $2`,
    [schema, name],
  );
  if (!found) return 'absent';
  if (found.said === origin) return 'done';
  throw errors.nameTaken([name]);
}

/** Whether every type is known to production, and by the same id: then the binary form may be sent. */
export async function typesOf(production: Session, table: Table): Promise<'text' | 'binary'> {
  const own = table.columns.filter(({ typeId }) => typeId >= FIRST_OWN_TYPE);
  const rows = await production.query<{ type: string; id: number | null }>(
    'select type, to_regtype(type)::oid::int8::float8 as id from unnest($1::text[]) type',
    [[...new Set(own.map(({ type }) => bareType(type)))]],
  );
  const known = new Map(rows.map(({ type, id }) => [type, id]));
  for (const { name, type } of own) {
    if ((known.get(bareType(type)) ?? null) === null) throw errors.typeMissing([type, name]);
  }
  return own.every(({ type, typeId }) => known.get(bareType(type)) === typeId) ? 'binary' : 'text';
}

/** Without what follows in brackets: `to_regtype` of older servers doesn't take it. */
const bareType = (type: string): string => type.replace(/\([^)]*\)(?=$|\[)/, '');

export async function createTable(
  copy: Session,
  production: Session,
  table: NewTable,
  options: { format: 'text' | 'binary'; signal: AbortSignal; onBytes: (bytes: number) => void },
): Promise<number> {
  const { from, where, origin } = table;
  const name = sqlName(table);
  const columns = from.columns.map(
    (column) =>
      `${quoteIdentifier(column.name)} ${column.type}` +
      (column.collation === undefined ? '' : ` collate ${column.collation}`) +
      (column.isRequired ? ' not null' : ''),
  );
  const taken = from.columns.map((column) => `t.${quoteIdentifier(column.name)}`).join(', ');
  const condition = where === undefined ? '' : ` where (${where}\n)`;
  const key = from.key.map(quoteIdentifier).join(', ');
  await production.query('begin');
  try {
    await production.query(`create table ${name} (${columns.join(', ')})`);
    const query = `select ${taken} from ${sqlName(from)} t${condition}`;
    const rows = await pipe(copy, query, production, name, options);
    if (key !== '') await production.query(`alter table ${name} add primary key (${key})`);
    await production.query(`comment on table ${name} is '${origin.replaceAll("'", "''")}'`);
    await production.query('commit');
    return rows;
  } catch (error) {
    // What broke it is what is told; a connection that is gone has rolled back by itself.
    await production.query('rollback').catch(() => {});
    throw await writeFailure(error, production);
  }
}
