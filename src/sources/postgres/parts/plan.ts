/**
 * What a merge would change, found on the copy: production only tells the key and the digest of its rows. The plan lies
 * in temporary tables of the copy, so it may be of any size.
 */
import { quoteIdentifier } from '../errors.ts';
import { type Compared, digestOf, valueIn } from './digest.ts';
import { castFailure, conditionFailure } from './failures.ts';
import { type Pair, targetDigest } from './pairing.ts';
import { pipe, type Session } from './sessions.ts';
import { shownName, sqlName } from './tables.ts';

/** Up to as many rows production looks up by their keys; of more it tells all it has. */
const LOOKED_UP_ROWS = 50_000;

export type Plan = {
  /** Temporary table of the copy: the key, `holdfast_change` and `holdfast_digest` of each row to be brought. */
  name: string;
  rows: number;
  missing: number;
  differing: number;
};

export const keyNames = (pair: Pair): string =>
  pair.key.map(({ name }) => quoteIdentifier(name)).join(', ');

const keyDefinitions = (key: readonly Compared[]): string =>
  key.map(({ name, type }) => `${quoteIdentifier(name)} ${type}`).join(', ');

export async function makePlan(
  copy: Session,
  production: Session,
  pair: Pair,
  options: { at: number; where?: string; signal: AbortSignal; onRead: (bytes: number) => void },
): Promise<Plan> {
  const names = {
    selected: `holdfast_selected_${options.at}`,
    there: `holdfast_there_${options.at}`,
    plan: `holdfast_plan_${options.at}`,
  };
  const rows = await select(copy, pair, names.selected, options.where);
  await copy.query(
    `create temp table ${names.there} (${keyDefinitions(copyKey(pair))}, holdfast_digest uuid)`,
  );
  const question = await questionFor(copy, production, pair, names.selected, rows, options);
  await pipe(production, question, copy, `pg_temp.${names.there}`, {
    format: 'text',
    signal: options.signal,
    onBytes: options.onRead,
  });
  await copy.query(`analyze ${names.there}`);
  await copy.query(`
    create temp table ${names.plan} as
      select s.*, case when p.holdfast_digest is null then 'insert' else 'update' end as holdfast_change
        from ${names.selected} s left join ${names.there} p using (${keyNames(pair)})
       where p.holdfast_digest is distinct from s.holdfast_digest`);
  const counts = await copy.query<{ change: string; count: string }>(
    `select holdfast_change as change, count(*)::text as count from ${names.plan} group by 1`,
  );
  const countOf = (change: string) =>
    Number(counts.find((one) => one.change === change)?.count ?? 0);
  return {
    name: names.plan,
    rows,
    missing: countOf('insert'),
    differing: countOf('update'),
  };
}

/** On the copy a type that only production has is text. */
const copyKey = (pair: Pair): Compared[] =>
  pair.key.map((column) => (column.isCast === false ? { ...column, type: 'text' } : column));

/** Keys and digests of the rows that are asked for, cast as production has them. Answers how many. */
async function select(
  copy: Session,
  pair: Pair,
  name: string,
  where: string | undefined,
): Promise<number> {
  const key = pair.key.map(
    (column) => `${valueIn(column, 't')} as ${quoteIdentifier(column.name)}`,
  );
  const from = `${sqlName(pair.copy)} t`;
  if (where !== undefined) await checkCondition(copy, from, where);
  const condition = where === undefined ? '' : ` where (${where}\n)`;
  const digest = digestOf(pair.columns, 't');
  try {
    await copy.query(
      `create temp table ${name} as
        select ${key.join(', ')}, ${digest} as holdfast_digest from ${from}${condition}`,
    );
  } catch (error) {
    const changed = pair.columns.filter(({ isCast }) => isCast === true).map((one) => one.name);
    throw castFailure(error, shownName(pair.copy), changed);
  }
  await copy.query(`analyze ${name}`);
  const [counted] = await copy.query<{ count: string }>(
    `select count(*)::text as count from ${name}`,
  );
  return Number(counted?.count ?? 0);
}

/** A parameter makes it one statement: whatever else the text holds is refused by the server. */
export async function checkCondition(copy: Session, from: string, where: string): Promise<void> {
  await copy
    .query(`select from ${from} where $1::bool and (${where}\n) limit 0`, [true])
    .catch((error: unknown) => {
      throw conditionFailure(error, where);
    });
}

/** The query by which production tells what it has of the selected rows. */
async function questionFor(
  copy: Session,
  production: Session,
  pair: Pair,
  selected: string,
  rows: number,
  { at, signal }: { at: number; signal: AbortSignal },
): Promise<string> {
  const keys = pair.key.map(({ name }) => `t.${quoteIdentifier(name)}`).join(', ');
  const all = `select ${keys}, ${targetDigest(pair, 't')} from ${sqlName(pair.target)} t`;
  if (rows > LOOKED_UP_ROWS) return all;
  const wanted = `holdfast_wanted_${at}`;
  const [standing] = await production.query<{ isReadOnly: boolean }>(
    'select current_setting(\'transaction_read_only\')::bool as "isReadOnly"',
  );
  if (standing?.isReadOnly === true) return all;
  await production.query(`create temp table ${wanted} (${keyDefinitions(pair.key)})`);
  await pipe(copy, `select ${keyNames(pair)} from ${selected}`, production, `pg_temp.${wanted}`, {
    format: 'text',
    signal,
  });
  await production.query(`analyze ${wanted}`);
  return `${all} join pg_temp.${wanted} using (${keyNames(pair)})`;
}
