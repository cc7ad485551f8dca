/** Holds a recovered shop against the record of what was acknowledged. Nothing here knows how it was recovered. */
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { Acknowledged } from './load.ts';
import { runSql } from './production/database.ts';

export type Verification = {
  /** Orders whose commit lies before the position: all must be there, as acknowledged. */
  ordersExpected: number;
  ordersMissing: string[];
  ordersChanged: string[];
  /** Orders whose commit lies after the position and that are there all the same: must be none. */
  ordersFromAfter: string[];
  /** Orders whose commit and the position can't be told apart from outside; each is whole or absent. */
  ordersInFlight: number;
  /** Acknowledged after the position: left behind, as announced. */
  ordersLeftBehind: number;
  uploadsExpected: number;
  uploadsMissing: string[];
  /** Acknowledged after the files' position: the files' RPO. */
  uploadsAfter: number;
};

export async function readRecord(file: string): Promise<Acknowledged[]> {
  const lines = (await fs.readFile(file, 'utf8')).split('\n');
  // The last line may be one that the load generator is still writing.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Acknowledged);
}

export function parseLsn(text: string): bigint {
  const [high, low] = text.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

type OrderRow = { id: string; total: string; lines: string };

async function ordersIn(url: string): Promise<Map<string, OrderRow>> {
  const rows = await runSql(
    url,
    `select o.id::text, o.total_cents::text as total, count(i.line)::text as lines
     from orders o left join items i on i.order_id = o.id group by o.id`,
  );
  return new Map((rows as OrderRow[]).map((row) => [row.id, row]));
}

async function sha256Of(file: string): Promise<string | undefined> {
  const bytes = await fs.readFile(file).catch(() => undefined);
  return bytes && createHash('sha256').update(bytes).digest('hex');
}

export type Recovered = {
  databaseUrl: string;
  uploads: string;
  /** The database's journal position that it was brought to. */
  position: bigint;
  /** Everything acknowledged before this instant must be among the uploads. */
  uploadsAtMs: number;
};

export async function verify(
  record: readonly Acknowledged[],
  recovered: Recovered,
): Promise<Verification> {
  const found = await ordersIn(recovered.databaseUrl);
  const result: Verification = {
    ordersExpected: 0,
    ordersMissing: [],
    ordersChanged: [],
    ordersFromAfter: [],
    ordersInFlight: 0,
    ordersLeftBehind: 0,
    uploadsExpected: 0,
    uploadsMissing: [],
    uploadsAfter: 0,
  };
  for (const order of record) {
    holdOrder(order, found.get(order.id), recovered.position, result);
    await holdUpload(order, recovered, result);
  }
  return result;
}

function holdOrder(
  order: Acknowledged,
  row: OrderRow | undefined,
  position: bigint,
  result: Verification,
): void {
  const before = parseLsn(order.notAfter) <= position;
  const after = parseLsn(order.notBefore) >= position;
  if (before) result.ordersExpected += 1;
  else if (after) result.ordersLeftBehind += 1;
  else result.ordersInFlight += 1;
  if (before && !row) result.ordersMissing.push(order.id);
  if (after && row) result.ordersFromAfter.push(order.id);
  const changed = row && (Number(row.total) !== order.total || Number(row.lines) !== order.lines);
  if (changed && !after) result.ordersChanged.push(order.id);
}

async function holdUpload(
  order: Acknowledged,
  recovered: Recovered,
  result: Verification,
): Promise<void> {
  if (!order.upload) return;
  if (order.acknowledgedAtMs >= recovered.uploadsAtMs) {
    result.uploadsAfter += 1;
    return;
  }
  result.uploadsExpected += 1;
  const sha256 = await sha256Of(path.join(recovered.uploads, order.upload.key));
  if (sha256 !== order.upload.sha256) result.uploadsMissing.push(order.upload.key);
}

export function isExact(result: Verification): boolean {
  const wrong = [
    result.ordersMissing,
    result.ordersChanged,
    result.ordersFromAfter,
    result.uploadsMissing,
  ];
  return wrong.every((list) => list.length === 0);
}
