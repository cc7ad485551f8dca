/**
 * The shop's API. POST /orders places an order in one transaction, its attachment durable in the uploads folder first;
 * GET /orders/ID reads it; GET /healthz asks the database. Confirmations are a side effect: one line in an outbox file
 * for each order, unless HOLDFAST_MUTED names `email`.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import pg from 'pg';

type Line = { sku: string; quantity: number; priceCents: number };
type NewOrder = { customer: number; lines: Line[]; attachment?: string };

const BODY_LIMIT_BYTES = 1 << 20;
const uploads = required('UPLOADS');
const outbox = process.env.OUTBOX;
const muted = (process.env.HOLDFAST_MUTED ?? '').split(',').includes('email');
const pool = new pg.Pool({ connectionString: required('DATABASE_URL'), max: 8 });
// A lost connection fails the request that used it; the pool makes a new one.
pool.on('error', () => {});

function required(name: string): string {
  const value = process.env[name];
  if (value) return value;
  process.stderr.write(`${name} must be set\n`);
  process.exit(2);
}

async function saveAttachment(bytes: Buffer): Promise<string> {
  const digest = createHash('sha256').update(bytes).digest('hex');
  const key = `${digest.slice(0, 2)}/${digest}.bin`;
  const file = path.join(uploads, key);
  const temporary = `${file}.${process.pid}-${process.hrtime.bigint()}.tmp`;
  await fs.mkdir(path.dirname(file), { recursive: true });
  const handle = await fs.open(temporary, 'w');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await fs.rename(temporary, file);
  return key;
}

const INSERT_ORDER = 'insert into orders (customer_id, total_cents) values ($1, $2) returning id';
const INSERT_ITEM =
  'insert into items (order_id, line, sku, quantity, price_cents, upload_key) values ($1,$2,$3,$4,$5,$6)';

/** The order's id and two positions of the journal between which its commit lies. */
async function place(order: NewOrder): Promise<Record<string, unknown>> {
  const key = order.attachment
    ? await saveAttachment(Buffer.from(order.attachment, 'base64'))
    : null;
  const total = order.lines.reduce((sum, line) => sum + line.quantity * line.priceCents, 0);
  const client = await pool.connect();
  try {
    await client.query('begin');
    const { rows } = await client.query(INSERT_ORDER, [order.customer, total]);
    const id = rows[0].id as string;
    for (const [index, line] of order.lines.entries()) {
      const values = [
        id,
        index + 1,
        line.sku,
        line.quantity,
        line.priceCents,
        index === 0 ? key : null,
      ];
      await client.query(INSERT_ITEM, values);
    }
    const before = await client.query('select pg_current_wal_insert_lsn() as lsn');
    await client.query('commit');
    const after = await client.query('select pg_current_wal_insert_lsn() as lsn');
    client.release();
    if (outbox && !muted) await fs.appendFile(outbox, `order ${id} confirmed\n`);
    return { id, total, key, notBefore: before.rows[0].lsn, notAfter: after.rows[0].lsn };
  } catch (error) {
    // The connection may be in any state: give it back broken.
    client.release(true);
    throw error;
  }
}

async function find(id: string): Promise<Record<string, unknown> | undefined> {
  const { rows } = await pool.query(
    'select id, customer_id, total_cents from orders where id = $1',
    [id],
  );
  return rows[0];
}

async function readBody(request: http.IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request) {
    length += (part as Buffer).length;
    if (length > BODY_LIMIT_BYTES) throw new Error('too large');
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
}

async function answer(request: http.IncomingMessage): Promise<[status: number, body: unknown]> {
  const [, noun, id] = (request.url ?? '').split('/');
  if (noun === 'healthz') {
    await pool.query('select 1');
    return [200, { up: true }];
  }
  if (noun === 'orders' && request.method === 'POST') {
    return [201, await place(JSON.parse((await readBody(request)).toString('utf8')))];
  }
  if (noun === 'orders' && id && /^\d+$/.test(id)) {
    const order = await find(id);
    return order ? [200, order] : [404, { error: `no order ${id}` }];
  }
  return [404, { error: 'not here' }];
}

const server = http.createServer((request, response) => {
  answer(request).then(
    ([status, body]) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    },
    (error: Error) => {
      response.writeHead(503, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: error.message }));
    },
  );
});

server.listen(Number(required('PORT')), '127.0.0.1');
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(0));
