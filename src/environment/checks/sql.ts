import type pg from 'pg';
import { formatCount } from '#base';
import type { Check } from '../model.ts';
import { storeUrl, withDatabase } from './database.ts';
import type { CheckContext, Seen } from './seen.ts';

/** Counting rows that shouldn't be there stops here. */
const MOST_ROWS = 1_000;

/** Runs the query and compares: no row, or the first value of the first row with what is expected. */
export async function checkSql(
  check: Extract<Check, { kind: 'sql' }>,
  context: CheckContext,
): Promise<Seen> {
  const url = storeUrl(check.store, context);
  if (url === undefined) return { verdict: 'unknown', what: `${check.store} was not recovered` };
  const rows = await withDatabase(url, context, async (client) => {
    // The cursor bounds what is fetched; in extended mode the server refuses a second statement, so that no `commit`
    // ends the read-only transaction.
    const text = `declare seen no scroll cursor for ${check.query}`;
    await client.query({ text, queryMode: 'extended' } as pg.QueryConfig);
    const fetched = await client.query({
      text: `fetch ${check.expect === 'empty' ? MOST_ROWS + 1 : 1} from seen`,
      rowMode: 'array',
    });
    return fetched.rows as unknown[][];
  });
  return check.expect === 'empty' ? judgeEmpty(rows.length) : judgeValue(rows, check.expect);
}

function judgeEmpty(rows: number): Seen {
  if (rows === 0) return { verdict: 'pass', what: 'no rows' };
  const count = rows > MOST_ROWS ? `over ${formatCount(MOST_ROWS)}` : formatCount(rows);
  return { verdict: 'fail', what: `${count} ${rows === 1 ? 'row' : 'rows'}, expected none` };
}

function judgeValue(rows: readonly unknown[][], expected: string): Seen {
  const value = rows[0]?.[0];
  if (value === undefined || value === null) {
    return { verdict: 'unknown', what: `no value, expected ${expected}` };
  }
  const text = value instanceof Date ? value.toISOString() : String(value);
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return fulfils(text, expected)
    ? { verdict: 'pass', what: shown }
    : { verdict: 'fail', what: `${shown}, expected ${expected}` };
}

/** `>3`, `<=0.1`, `!=0` compare numbers; anything else, with or without `=`, compares text. */
export function fulfils(value: string, expected: string): boolean {
  const [, operator, limitText = ''] = /^(>=|<=|!=|>|<|=)\s*(.*)$/.exec(expected) ?? [];
  if (operator === undefined) return value === expected;
  const number = Number(value);
  const limit = Number(limitText);
  const areNumbers =
    value.trim() !== '' &&
    limitText.trim() !== '' &&
    Number.isFinite(number) &&
    Number.isFinite(limit);
  if (operator === '=') return areNumbers ? number === limit : value === limitText;
  if (operator === '!=') return areNumbers ? number !== limit : value !== limitText;
  if (!areNumbers) return false;
  if (operator === '>=') return number >= limit;
  if (operator === '<=') return number <= limit;
  return operator === '>' ? number > limit : number < limit;
}
