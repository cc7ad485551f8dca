/** What happens to the shop: a migration that passed review, and somebody who encrypts the uploads. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { encryptFolder } from '../encrypt.ts';
import { runSql } from '../production/database.ts';
import { type Shop, shopUrl } from '../production/shop.ts';

export type Damage = { ordersEmptied: number; uploadsEncrypted: number; atMs: number };

export async function deployTheMigration(shop: Shop): Promise<number> {
  const file = path.resolve(import.meta.dirname, '../db/0042-tidy-up.sql');
  await runSql(shopUrl(shop), await fs.readFile(file, 'utf8'));
  const [row] = await runSql(
    shopUrl(shop),
    'select count(*)::int as n from orders where total_cents = 0',
  );
  return Number(row?.n);
}

export async function strike(shop: Shop): Promise<Damage> {
  const atMs = Date.now();
  const ordersEmptied = await deployTheMigration(shop);
  const uploadsEncrypted = await encryptFolder(path.join(shop.folder, 'uploads'));
  return { ordersEmptied, uploadsEncrypted, atMs };
}
