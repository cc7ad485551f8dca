/**
 * What a merge replaced, kept in production itself in the same transaction: a schema of its own that only its owner may
 * read. `merges` says what was done; two tables hold keys of inserted rows and the old values of updated ones, each with
 * the digest that the row had afterwards, so that what somebody changed since is known.
 */
import { quoteIdentifier } from '../errors.ts';
import { type Pair, sameKey, targetDigest, updatable } from './pairing.ts';
import type { Session } from './sessions.ts';
import { shownName, sqlName, UNDO_SCHEMA } from './tables.ts';

export const MERGES = `${UNDO_SCHEMA}.merges`;

export const keptTablesOf = (id: string, at: number) => ({
  inserted: `${UNDO_SCHEMA}.${id}_${at}_inserted`,
  before: `${UNDO_SCHEMA}.${id}_${at}_before`,
  after: `${UNDO_SCHEMA}.${id}_${at}_after`,
});

export type KeptTable = {
  /** As SQL and as people write it. */
  target: string;
  name: string;
  key: string[];
  columns: string[];
  /** SQL of the digest of a row of `t`. */
  digest: string;
};

export async function keptTables(production: Session): Promise<void> {
  // Asked first: who may use the schema need not be allowed to make one.
  const [there] = await production.query<{ is: boolean }>(
    'select to_regclass($1) is not null as is',
    [MERGES],
  );
  if (there?.is === true) return;
  await production.query(`create schema if not exists ${UNDO_SCHEMA}`);
  await production.query(`create table ${MERGES} (
    id text primary key, origin text not null, merged_at timestamptz not null default now(),
    undone_at timestamptz, tables jsonb not null)`);
}

/** Rows that are to be updated, locked and as they are, besides empty tables for what will have been done. */
export async function keepBefore(
  production: Session,
  pair: Pair,
  id: string,
  at: number,
  stage: string,
): Promise<void> {
  const { inserted, before, after } = keptTablesOf(id, at);
  const target = sqlName(pair.target);
  const keys = pair.key.map(({ name }) => `t.${quoteIdentifier(name)}`).join(', ');
  const columns = pair.columns.map(({ name }) => `t.${quoteIdentifier(name)}`).join(', ');
  for (const empty of [inserted, after]) {
    await production.query(
      `create table ${empty} as select ${keys}, null::uuid as holdfast_digest from ${target} t where false`,
    );
  }
  await production.query(
    `create table ${before} as select ${columns} from ${target} t join ${stage} s on ${sameKey(pair, 't', 's')}
      where s.holdfast_change = 'update' for update of t`,
  );
}

export async function noteMerge(
  production: Session,
  id: string,
  origin: string,
  pairs: readonly Pair[],
): Promise<void> {
  const tables = pairs.map((pair): KeptTable => {
    return {
      target: sqlName(pair.target),
      name: shownName(pair.target),
      key: pair.key.map(({ name }) => name),
      columns: updatable(pair),
      digest: targetDigest(pair, 't'),
    };
  });
  await production.query(`insert into ${MERGES} (id, origin, tables) values ($1, $2, $3)`, [
    id,
    origin,
    JSON.stringify(tables),
  ]);
}
