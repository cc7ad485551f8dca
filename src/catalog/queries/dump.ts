/**
 * One environment's rows as a stream of text, and back: what `rebuild` needs besides the repository's own records. Not
 * the scheduler's tables: their work is found again from what is declared.
 */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Scope } from './records.ts';

const TABLES = ['environment', 'store', 'capture', 'point', 'mark', 'gap', 'proof'] as const;
const ROWS_PER_READ = 1000;

/**
 * One line a row: `["capture",{…}]`, read in one snapshot of the database, in an order that doesn't change. Memory is
 * bounded by a thousand rows.
 */
export async function* dumpTables(pool: pg.Pool, scope: Scope): AsyncGenerator<Buffer> {
  const client = await pool.connect();
  try {
    await client.query('begin isolation level repeatable read, read only');
    for (const table of TABLES) {
      const environment = table === 'environment' ? 'name' : 'environment';
      await client.query(
        `declare rows no scroll cursor for select to_jsonb(t)::text as row from ${table} t
         where ${environment} = $1 and stage = $2 order by 1`,
        [scope.environment, scope.stage],
      );
      for (;;) {
        const { rows } = await client.query<{ row: string }>(`fetch ${ROWS_PER_READ} from rows`);
        if (rows.length === 0) break;
        yield Buffer.from(rows.map(({ row }) => `["${table}",${row}]\n`).join(''));
      }
      await client.query('close rows');
    }
  } finally {
    await client.query('rollback').catch(() => {
      // The connection is gone, and with it the transaction.
    });
    client.release();
  }
}

/** Digest of what `dumpTables` gives: unchanged, nothing needs to be captured. */
export async function digestTables(pool: pg.Pool, scope: Scope): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of dumpTables(pool, scope)) hash.update(part);
  return hash.digest('hex');
}

/** Takes lines of a dump; rows that are there already stay as they are. Throws on a line that is none. */
export async function loadTables(pool: pg.Pool, lines: AsyncIterable<string>): Promise<number> {
  let loaded = 0;
  for await (const line of lines) {
    if (line === '') continue;
    const [table, row] = JSON.parse(line) as [string, unknown];
    const known = TABLES.find((name) => name === table);
    if (known === undefined) throw new SyntaxError(`a dump has no table "${String(table)}"`);
    const { rowCount } = await pool.query(insertInto(known), [JSON.stringify(row)]);
    loaded += rowCount ?? 0;
  }
  return loaded;
}

/** The row type is taken from the table itself: by its name alone, `point` is a type of Postgres' own. */
function insertInto(table: (typeof TABLES)[number]): string {
  const ofThatType = `(select t from ${table} t where false)`;
  return `insert into ${table} select (jsonb_populate_record(${ofThatType}, $1)).* on conflict do nothing`;
}
