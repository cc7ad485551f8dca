import fs from 'node:fs/promises';
import path from 'node:path';
import { formatCount, messageOf, systemCode } from '#base';
import type { Check } from '../model.ts';
import { storeUrl, withDatabase } from './database.ts';
import type { CheckContext, Seen } from './seen.ts';

const BATCH = 1_000;
const LOOKS_AT_ONCE = 16;
const NAMED = 3;

/** Whether each value of a column is the path of a file in a recovered folder. Null is no value. */
export async function checkKeys(
  check: Extract<Check, { kind: 'keys' }>,
  context: CheckContext,
): Promise<Seen> {
  const url = storeUrl(check.store, context);
  const folder = storeUrl(check.in, context);
  if (url === undefined || folder === undefined) {
    const absent = url === undefined ? check.store : check.in;
    return { verdict: 'unknown', what: `${absent} was not recovered` };
  }
  let root: string;
  try {
    root = await fs.realpath(folder);
  } catch (error) {
    return { verdict: 'unknown', what: `${check.in} can't be read: ${messageOf(error)}` };
  }
  let count = 0;
  let missing = 0;
  const named: string[] = [];
  await withDatabase(url, context, async (client) => {
    const column = quoted(check.column);
    const table = check.table.split('.').map(quoted).join('.');
    await client.query(
      `declare seen no scroll cursor for select distinct ${column}::text from ${table} where ${column} is not null`,
    );
    for (;;) {
      context.signal?.throwIfAborted();
      const { rows } = await client.query({ text: `fetch ${BATCH} from seen`, rowMode: 'array' });
      if (rows.length === 0) return;
      const keys = (rows as string[][]).map((row) => row[0] ?? '');
      const absent = await absentOf(root, keys);
      count += keys.length;
      missing += absent.length;
      named.push(...absent.slice(0, NAMED - named.length));
    }
  });
  if (missing === 0) return { verdict: 'pass', what: `${formatCount(count)} keys, all there` };
  const more = missing > named.length ? ', …' : '';
  const what = `${formatCount(missing)} of ${formatCount(count)} missing: ${named.join(', ')}${more}`;
  return { verdict: 'fail', what };
}

function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

async function absentOf(root: string, keys: readonly string[]): Promise<string[]> {
  const absent: string[] = [];
  let next = 0;
  const look = async () => {
    while (next < keys.length) {
      const key = keys[next] as string;
      next += 1;
      if (!(await isFileIn(root, key))) absent.push(key);
    }
  };
  await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, look));
  return absent;
}

/** False for what lies outside, however it is reached: `..`, or a link. */
async function isFileIn(root: string, key: string): Promise<boolean> {
  if (key === '' || key.includes('\0')) return false;
  try {
    const real = await fs.realpath(path.join(root, key));
    return real.startsWith(root + path.sep) && (await fs.stat(real)).isFile();
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG' || code === 'ELOOP') {
      return false;
    }
    throw error;
  }
}
