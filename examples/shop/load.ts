/**
 * Customers: keeps placing orders and notes each acknowledged one, fsynced, in a record outside the shop. The record is
 * what a recovery is held against: nothing in it may be missing.
 *   node load.ts API_URL RECORD [CUSTOMERS]
 */
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';

/** One line of the record. `notBefore` and `notAfter` are journal positions around the commit. */
export type Acknowledged = {
  id: string;
  total: number;
  lines: number;
  upload?: { key: string; sha256: string };
  notBefore: string;
  notAfter: string;
  acknowledgedAtMs: number;
};

const UPLOAD_EVERY = 4;
const PAUSE_MS = 60;

function newOrder(turn: number): { customer: number; lines: object[]; attachment?: string } {
  const count = 1 + (turn % 3);
  const lines = Array.from({ length: count }, (_, index) => ({
    sku: `sku-${(turn * 7 + index) % 97}`,
    quantity: 1 + (turn % 4),
    priceCents: 199 + ((turn * 31) % 5_000),
  }));
  const order = { customer: 1 + (turn % 100), lines };
  if (turn % UPLOAD_EVERY !== 0) return order;
  return { ...order, attachment: randomBytes(2_000 + (turn % 30) * 1_000).toString('base64') };
}

export async function placeOrder(api: string, turn: number): Promise<Acknowledged | undefined> {
  const order = newOrder(turn);
  const response = await fetch(`${api}/orders`, { method: 'POST', body: JSON.stringify(order) });
  if (response.status !== 201) return undefined;
  const placed = (await response.json()) as Record<string, string>;
  const acknowledged: Acknowledged = {
    id: String(placed.id),
    total: Number(placed.total),
    lines: order.lines.length,
    notBefore: String(placed.notBefore),
    notAfter: String(placed.notAfter),
    acknowledgedAtMs: Date.now(),
  };
  if (!order.attachment) return acknowledged;
  const sha256 = createHash('sha256').update(Buffer.from(order.attachment, 'base64')).digest('hex');
  return { ...acknowledged, upload: { key: String(placed.key), sha256 } };
}

async function main(api: string, file: string, customers: number): Promise<void> {
  const record = await fs.open(file, 'a', 0o600);
  let turn = 0;
  let stopping = false;
  process.on('SIGTERM', () => {
    stopping = true;
  });
  const customer = async () => {
    while (!stopping) {
      turn += 1;
      // A refused order was never acknowledged: it owes nothing to the record.
      const placed = await placeOrder(api, turn).catch(() => undefined);
      if (placed) {
        await record.appendFile(`${JSON.stringify(placed)}\n`);
        await record.datasync();
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  await Promise.all(Array.from({ length: customers }, customer));
  await record.close();
}

if (import.meta.main) {
  const [api, file, customers = '4'] = process.argv.slice(2);
  if (!api || !file) {
    process.stderr.write('usage: node load.ts API_URL RECORD [CUSTOMERS]\n');
    process.exit(2);
  }
  await main(api, file, Number(customers));
}
