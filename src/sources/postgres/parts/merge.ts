/**
 * Planned rows go into production's tables in one transaction. All tables change in one statement: foreign keys, also
 * those that go round in a circle, are judged by the server when it ends (or, where deferred, at the commit).
 */
import { shortId } from '#base';
import type { TablesResult } from '../../parts.ts';
import { quoteIdentifier } from '../errors.ts';
import { valueIn } from './digest.ts';
import { castFailure, writeFailure } from './failures.ts';
import { keyJoin, type Pair, sameKey, targetDigest, updatable } from './pairing.ts';
import type { Plan } from './plan.ts';
import { advanceSequences } from './sequences.ts';
import { pipe, type Session } from './sessions.ts';
import { shownName, sqlName } from './tables.ts';
import { keepBefore, keptTables, keptTablesOf, noteMerge } from './undo-log.ts';

export type Merge = { pair: Pair; plan: Plan };

export type MergeOptions = {
  update: boolean;
  undo: boolean;
  origin: string;
  signal: AbortSignal;
  onBytes: (bytes: number) => void;
};

const stageName = (at: number) => `holdfast_stage_${at}`;

export async function applyMerges(
  copy: Session,
  production: Session,
  merges: readonly Merge[],
  options: MergeOptions,
): Promise<TablesResult> {
  const id = options.undo ? shortId('m', 5) : undefined;
  await production.query('begin');
  try {
    await production.query('set constraints all deferred');
    for (const [at, merge] of merges.entries()) await stage(copy, production, merge, at, options);
    if (id !== undefined) {
      await keptTables(production);
      for (const [at, { pair }] of merges.entries()) {
        await keepBefore(production, pair, id, at, stageName(at));
      }
    }
    const counts = await change(production, merges, options, id);
    for (const [at, { pair }] of merges.entries()) {
      await advanceSequences(production, pair, stageName(at));
    }
    const tables = merges.map(({ pair }, at) => ({
      table: shownName(pair.copy),
      target: shownName(pair.target),
      inserted: counts[at]?.inserted ?? 0,
      updated: counts[at]?.updated ?? 0,
    }));
    const isChange = tables.some(({ inserted, updated }) => inserted + updated > 0);
    if (!isChange) {
      await production.query('rollback');
      return { tables };
    }
    if (id !== undefined) {
      await noteMerge(
        production,
        id,
        options.origin,
        merges.map(({ pair }) => pair),
      );
    }
    await production.query('commit');
    return { tables, ...(id === undefined ? {} : { undo: id }) };
  } catch (error) {
    // What broke it is what is told; a connection that is gone has rolled back by itself.
    await production.query('rollback').catch(() => {});
    throw await writeFailure(error, production);
  }
}

/** The planned rows, whole, in a temporary table of production that goes with the transaction. */
async function stage(
  copy: Session,
  production: Session,
  { pair, plan }: Merge,
  at: number,
  { update, signal, onBytes }: MergeOptions,
): Promise<void> {
  const definitions = pair.columns.map(({ name, type }) => `${quoteIdentifier(name)} ${type}`);
  await production.query(
    `create temp table ${stageName(at)} (${definitions.join(', ')}, holdfast_change text, holdfast_digest uuid) on commit drop`,
  );
  const query = `select ${pair.columns.map((column) => valueIn(column, 't')).join(', ')},
      p.holdfast_change, p.holdfast_digest
    from ${plan.name} p join ${sqlName(pair.copy)} t on ${keyJoin(pair)}
    ${update ? '' : "where p.holdfast_change = 'insert'"}`;
  const format = pair.isSame ? 'binary' : 'text';
  await pipe(copy, query, production, `pg_temp.${stageName(at)}`, {
    format,
    signal,
    onBytes,
  }).catch((error: unknown) => {
    // Of types that people made only production knows what fits.
    throw castFailure(error, shownName(pair.target), []);
  });
  await production.query(`analyze ${stageName(at)}`);
}

/** Everything at once; what was changed since the preview in the way of a row is left alone. */
async function change(
  production: Session,
  merges: readonly Merge[],
  { update }: MergeOptions,
  id: string | undefined,
): Promise<{ inserted: number; updated: number }[]> {
  const parts: string[] = [];
  const counts: string[] = [];
  for (const [at, { pair }] of merges.entries()) {
    parts.push(`i${at} as (${insertStatement(pair, at)})`);
    if (update) parts.push(`u${at} as (${updateStatement(pair, at)})`);
    counts.push(`(select count(*) from i${at})::text`);
    counts.push(update ? `(select count(*) from u${at})::text` : `'0'`);
    if (id === undefined) continue;
    const kept = keptTablesOf(id, at);
    parts.push(`ki${at} as (insert into ${kept.inserted} select * from i${at})`);
    if (update) parts.push(`ku${at} as (insert into ${kept.after} select * from u${at})`);
  }
  const [row] = await production.query<{ counts: string[] }>(
    `with ${parts.join(',\n')} select array[${counts.join(', ')}] as counts`,
  );
  const numbers = (row?.counts ?? []).map(Number);
  return merges.map((_, at) => ({
    inserted: numbers[2 * at] ?? 0,
    updated: numbers[2 * at + 1] ?? 0,
  }));
}

const returned = (pair: Pair): string => {
  const keys = pair.key.map(({ name }) => `t.${quoteIdentifier(name)}`);
  return `${keys.join(', ')}, ${targetDigest(pair, 't')}`;
};

function insertStatement(pair: Pair, at: number): string {
  const names = pair.columns.map(({ name }) => quoteIdentifier(name)).join(', ');
  return `insert into ${sqlName(pair.target)} as t (${names}) overriding system value
    select ${names} from ${stageName(at)} s
     where s.holdfast_change = 'insert'
       and not exists (select from ${sqlName(pair.target)} t where ${sameKey(pair, 't', 's')})
    returning ${returned(pair)}`;
}

function updateStatement(pair: Pair, at: number): string {
  const set = updatable(pair)
    .map(quoteIdentifier)
    .map((name) => `${name} = s.${name}`);
  // A table of nothing but its key has nothing to update.
  if (set.length === 0)
    return `select ${returned(pair)} from ${sqlName(pair.target)} t where false`;
  return `update ${sqlName(pair.target)} t set ${set.join(', ')}
      from ${stageName(at)} s
     where s.holdfast_change = 'update' and ${sameKey(pair, 't', 's')}
       and ${targetDigest(pair, 't')} is distinct from s.holdfast_digest
    returning ${returned(pair)}`;
}
