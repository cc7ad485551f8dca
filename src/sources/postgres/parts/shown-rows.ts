/** The first rows of a change, as a person sees them before anything is written. */
import type { ShownRow } from '../../parts.ts';
import { quoteIdentifier } from '../errors.ts';
import { type Compared, valueIn } from './digest.ts';
import { keyJoin, type Pair } from './pairing.ts';
import { keyNames, type Plan } from './plan.ts';
import type { Session } from './sessions.ts';
import { sqlName, type Table } from './tables.ts';

const SHOWN_ROWS = 5;
const SHOWN_CHARACTERS = 60;
/** As stored: what is longer is shown by its size, and never read. */
const SHOWN_BYTES = 100_000;

/** An array of texts, one for each column. */
function shownValues(columns: readonly Pick<Compared, 'name' | 'type' | 'isCast'>[]): string {
  const values = columns.map((column) => {
    const raw = `t.${quoteIdentifier(column.name)}`;
    const size = `pg_column_size(${raw})`;
    return `case when ${size} > ${SHOWN_BYTES} then '(' || pg_size_pretty(${size}::bigint) || ' stored)'
                 else left((${valueIn(column, 't')})::text, ${SHOWN_CHARACTERS}) end`;
  });
  return `array[${values.join(', ')}]::text[]`;
}

const named = (columns: readonly { name: string }[], values: readonly (string | null)[]) =>
  Object.fromEntries(columns.map(({ name }, at) => [name, values[at] ?? null]));

export async function firstRowsOf(
  copy: Session,
  table: Table,
  where: string | undefined,
): Promise<ShownRow[]> {
  const condition = where === undefined ? '' : ` where (${where}\n)`;
  const rows = await copy.query<{ values: (string | null)[] }>(
    `select ${shownValues(table.columns)} as values from ${sqlName(table)} t${condition} limit ${SHOWN_ROWS}`,
  );
  return rows.map(({ values }) => ({ change: 'insert', values: named(table.columns, values) }));
}

/** Of a planned merge: rows to be inserted whole, of those to be updated what differs. */
export async function firstChanges(
  copy: Session,
  production: Session,
  pair: Pair,
  plan: Plan,
  withUpdates: boolean,
): Promise<ShownRow[]> {
  const read = async (change: ShownRow['change']) =>
    await copy.query<{ values: (string | null)[]; key: string[] }>(
      `select ${shownValues(pair.columns)} as values, array[${pair.key
        .map(({ name }) => `p.${quoteIdentifier(name)}::text`)
        .join(', ')}] as key
         from (select * from ${plan.name} where holdfast_change = '${change}'
                order by ${keyNames(pair)} limit ${SHOWN_ROWS}) p
         join ${sqlName(pair.copy)} t on ${keyJoin(pair)}
        order by ${pair.key.map(({ name }) => `p.${quoteIdentifier(name)}`).join(', ')}`,
    );
  const shown: ShownRow[] = [];
  for (const { values } of await read('insert')) {
    shown.push({ change: 'insert', values: named(pair.columns, values) });
  }
  if (!withUpdates) return shown;
  for (const { values, key } of await read('update')) {
    const now = await currentValues(production, pair, key);
    if (now) shown.push(updateOf(pair, key, named(pair.columns, now), named(pair.columns, values)));
  }
  return shown;
}

async function currentValues(
  production: Session,
  pair: Pair,
  key: readonly string[],
): Promise<(string | null)[] | undefined> {
  const columns = pair.columns.map(({ name, type }) => ({ name, type }));
  const matches = pair.key.map(
    ({ name, type }, at) => `t.${quoteIdentifier(name)} = $${at + 1}::text::${type}`,
  );
  const [row] = await production.query<{ values: (string | null)[] }>(
    `select ${shownValues(columns)} as values from ${sqlName(pair.target)} t where ${matches.join(' and ')}`,
    [...key],
  );
  return row?.values;
}

function updateOf(
  pair: Pair,
  key: readonly string[],
  now: Record<string, string | null>,
  earlier: Record<string, string | null>,
): ShownRow {
  const becomes: NonNullable<ShownRow['becomes']> = {};
  for (const { name } of pair.columns) {
    const [is, was] = [now[name] ?? null, earlier[name] ?? null];
    if (is !== was) becomes[name] = { now: is, was };
  }
  return { change: 'update', values: named(pair.key, key), becomes };
}
