import fs from 'node:fs/promises';
import path from 'node:path';
import type pg from 'pg';
import { formatCount, messageOf, systemCode } from '#base';
import type { Check } from '../model.ts';
import { storeUrl, withDatabase } from './database.ts';
import type { CheckContext, Seen } from './seen.ts';

const BATCH = 1_000;
const LOOKS_AT_ONCE = 16;
const NAMED = 3;

/** Whether each value of a column is the path of a file in a recovered folder. Null is no value. */
export async function checkKeys(check: KeysCheck, context: CheckContext): Promise<Seen> {
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
  const seen = await withDatabase(url, context, (client) =>
    lookForKeys(client, check, { root, asOfMs: context.bindings.stores[check.in]?.atMs }, context),
  );
  const younger = seen.younger > 0 ? `; ${formatCount(seen.younger)} written after it` : '';
  if (seen.missing === 0) {
    return { verdict: 'pass', what: `${formatCount(seen.count)} keys, all there${younger}` };
  }
  const more = seen.missing > seen.named.length ? ', …' : '';
  const what = `${formatCount(seen.missing)} of ${formatCount(seen.count)} missing: ${seen.named.join(', ')}${more}${younger}`;
  return { verdict: 'fail', what };
}

type KeysCheck = Extract<Check, { kind: 'keys' }>;
type Folder = { root: string; asOfMs: number | undefined };
type SeenKeys = { count: number; missing: number; younger: number; named: string[] };

async function lookForKeys(
  client: pg.Client,
  check: KeysCheck,
  { root, asOfMs }: Folder,
  context: CheckContext,
): Promise<SeenKeys> {
  const seen: SeenKeys = { count: 0, missing: 0, younger: 0, named: [] };
  const column = quoted(check.column);
  const from = `from ${check.table.split('.').map(quoted).join('.')} where ${column} is not null`;
  // The instant is a number that we made: a cursor takes no parameters.
  const limit =
    check.at === undefined || asOfMs === undefined
      ? undefined
      : `${quoted(check.at)} < to_timestamp(${Math.floor(asOfMs)} / 1000.0)`;
  if (limit) {
    const { rows } = await client.query(
      `select count(distinct ${column})::int as younger ${from} and not ${limit}`,
    );
    seen.younger = rows[0]?.younger ?? 0;
  }
  await client.query(
    `declare seen no scroll cursor for select distinct ${column}::text ${from}${limit ? ` and ${limit}` : ''}`,
  );
  for (;;) {
    context.signal?.throwIfAborted();
    const { rows } = await client.query({ text: `fetch ${BATCH} from seen`, rowMode: 'array' });
    if (rows.length === 0) return seen;
    const keys = (rows as string[][]).map((row) => row[0] ?? '');
    const absent = await absentOf(root, keys);
    seen.count += keys.length;
    seen.missing += absent.length;
    seen.named.push(...absent.slice(0, NAMED - seen.named.length));
  }
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
