/** What a planned merge would refer to and production doesn't have: told before anything is written. */
import { quoteIdentifier } from '../errors.ts';
import { valueIn } from './digest.ts';
import type { Merge } from './merge.ts';
import { keyJoin, type Pair } from './pairing.ts';
import { pipe, type Session } from './sessions.ts';
import { shownName, sqlName, type TableName } from './tables.ts';

const SHOWN_VALUES = 3;

type ForeignKey = TableName & {
  constraint: string;
  columns: string[];
  referred: string[];
};

const FOREIGN_KEYS = `
  select k.conname as constraint, f.oid::int8::float8 as oid, n.nspname as schema, f.relname as name,
         array(select a.attname::text from unnest(k.conkey) with ordinality c(num, at)
                 join pg_attribute a on a.attrelid = k.conrelid and a.attnum = c.num order by c.at) as columns,
         array(select a.attname::text from unnest(k.confkey) with ordinality c(num, at)
                 join pg_attribute a on a.attrelid = k.confrelid and a.attnum = c.num order by c.at) as referred
    from pg_constraint k join pg_class f on f.oid = k.confrelid join pg_namespace n on n.oid = f.relnamespace
   where k.contype = 'f' and k.conrelid = $1 and k.conparentid = 0
   order by k.conname`;

/** By merge, what a person should know. Rows that the same merge brings are there by then. */
export async function missingReferences(
  copy: Session,
  production: Session,
  merges: readonly Merge[],
  { update, signal }: { update: boolean; signal: AbortSignal },
): Promise<string[][]> {
  const notes: string[][] = [];
  for (const merge of merges) {
    const known = await production.query<ForeignKey>(FOREIGN_KEYS, [merge.pair.target.oid]);
    // A column that isn't brought gets its default: the server judges it.
    const brought = new Set(merge.pair.columns.map(({ name }) => name));
    const judged = known.filter(({ columns }) => columns.every((name) => brought.has(name)));
    const own: string[] = [];
    for (const [at, key] of judged.entries()) {
      const wanted = `holdfast_referred_${notes.length}_${at}`;
      await selectReferred(copy, merge, merges, key, wanted, update);
      own.push(...(await absentOf(copy, production, merge.pair, key, wanted, signal)));
    }
    notes.push(own);
  }
  return notes;
}

const valuesOf = ({ columns }: Pair, names: readonly string[]): string =>
  names
    .map((wanted) => columns.find(({ name }) => name === wanted))
    .map((column) => (column ? valueIn(column, 't') : 'null'))
    .join(', ');

/** On the copy: what its planned rows refer to, but for what is planned to be inserted there. */
async function selectReferred(
  copy: Session,
  { pair, plan }: Merge,
  merges: readonly Merge[],
  key: ForeignKey,
  name: string,
  update: boolean,
): Promise<void> {
  const names = key.columns.map((_, at) => `c${at}`).join(', ');
  const isGiven = key.columns.map((one) => `t.${quoteIdentifier(one)} is not null`).join(' and ');
  const planned = update ? '' : "and p.holdfast_change = 'insert'";
  const coming = merges.find(({ pair: { target } }) => target.oid === key.oid);
  const comes = new Set(coming?.pair.columns.map((column) => column.name));
  const besides =
    coming && key.referred.every((one) => comes.has(one))
      ? `except select ${valuesOf(coming.pair, key.referred)} from ${coming.plan.name} p
           join ${sqlName(coming.pair.copy)} t on ${keyJoin(coming.pair)} where p.holdfast_change = 'insert'`
      : '';
  await copy.query(`
    create temp table ${name} (${names}) as
      select distinct ${valuesOf(pair, key.columns)} from ${plan.name} p
        join ${sqlName(pair.copy)} t on ${keyJoin(pair)} where ${isGiven} ${planned}
      ${besides}`);
}

async function absentOf(
  copy: Session,
  production: Session,
  pair: Pair,
  key: ForeignKey,
  wanted: string,
  signal: AbortSignal,
): Promise<string[]> {
  const [some] = await copy.query<{ is: boolean }>(`select exists (select from ${wanted}) as is`);
  if (some?.is !== true) return [];
  const typeOf = (wantedName: string) =>
    pair.columns.find(({ name }) => name === wantedName)?.type ?? 'text';
  const columns = key.columns.map((name, at) => `c${at} ${typeOf(name)}`).join(', ');
  await production.query(`create temp table ${wanted} (${columns})`);
  await pipe(copy, `select * from ${wanted}`, production, `pg_temp.${wanted}`, {
    format: 'text',
    signal,
  });
  const same = key.referred.map((name, at) => `f.${quoteIdentifier(name)} = w.c${at}`);
  const shown = key.columns.map((_, at) => `w.c${at}::text`).join(` || '/' || `);
  const [absent] = await production.query<{ count: string; some: string[] }>(`
    select count(*)::text as count, (array_agg(${shown}))[1:${SHOWN_VALUES}] as some
      from pg_temp.${wanted} w
     where not exists (select from ${sqlName(key)} f where ${same.join(' and ')})`);
  await production.query(`drop table pg_temp.${wanted}`);
  const count = Number(absent?.count ?? 0);
  return count === 0 ? [] : [absentNote(key, count, absent?.some ?? [])];
}

function absentNote(key: ForeignKey, count: number, some: readonly string[]): string {
  const more = count > some.length ? ', …' : '';
  const values = `${key.columns.join('/')} ${some.join(', ')}${more}`;
  return (
    `will be refused as it stands: ${shownName(key)} has no rows for ${values} (${key.constraint});` +
    ` bring them, too: --table ${shownName(key)}`
  );
}
