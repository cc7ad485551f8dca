/**
 * The shop in production, as its own people run it: where everything lies, and how each part is started and stopped.
 * Holdfast knows none of this; it gets holdfast.yaml and the command lines of `control.ts`.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { freePort } from '#base';
import { type Database, databaseProcess, initDatabase, runSql, urlOf } from './database.ts';
import { type ProcessPlan, startProcess, stopProcess } from './processes.ts';

export type Shop = {
  folder: string;
  apiPort: number;
  database: Database;
  passwords: { postgres: string; shop: string };
};

const home = path.resolve(import.meta.dirname, '..');
export const PARTS = ['postgres', 'api', 'pipeline'] as const;
export type Part = (typeof PARTS)[number];

export const apiUrl = (shop: Shop) => `http://127.0.0.1:${shop.apiPort}`;
export const adminUrl = (shop: Shop) =>
  urlOf(shop.database.port, 'postgres', shop.passwords.postgres);
export const shopUrl = (shop: Shop) => urlOf(shop.database.port, 'shop', shop.passwords.shop);

const shopFile = (folder: string) => path.join(folder, 'shop.json');

export async function loadShop(folder: string): Promise<Shop> {
  return JSON.parse(await fs.readFile(shopFile(folder), 'utf8')) as Shop;
}

/** Makes the shop in a folder and opens it. The folder must be reachable for the database's user. */
export async function openShop(folder: string): Promise<Shop> {
  const secret = () => randomBytes(12).toString('hex');
  const passwords = { postgres: secret(), shop: secret() };
  const database = await initDatabase(folder, await freePort(), passwords.postgres);
  const shop: Shop = { folder, apiPort: await freePort(), database, passwords };
  for (const name of ['uploads', 'warehouse', 'sessions']) await fs.mkdir(path.join(folder, name));
  await fs.writeFile(shopFile(folder), JSON.stringify(shop, null, 2), { mode: 0o600 });
  await startPart(shop, 'postgres');
  await prepareSchema(shop);
  await startPart(shop, 'api');
  await startPart(shop, 'pipeline');
  return shop;
}

async function prepareSchema(shop: Shop): Promise<void> {
  const maintenance = adminUrl(shop).replace('/shop?', '/postgres?');
  await runSql(
    maintenance,
    `create role shop login replication password '${shop.passwords.shop}'`,
    'grant pg_monitor to shop',
    'create database shop owner shop',
  );
  const schema = await fs.readFile(path.join(home, 'db', 'schema.sql'), 'utf8');
  const customers = `insert into customers (name, email)
    select 'Customer ' || n, 'customer' || n || '@shop.example' from generate_series(1, 100) n`;
  await runSql(shopUrl(shop), schema, customers);
}

function planOf(shop: Shop, part: Part): ProcessPlan {
  // While the cluster is new, only the maintenance database is there to be asked.
  const probe = adminUrl(shop).replace('/shop?', '/postgres?');
  if (part === 'postgres') return databaseProcess(shop.database, probe);
  const service = { name: part, cwd: home, stopSignal: 'SIGTERM' as const };
  if (part === 'pipeline') {
    return {
      ...service,
      command: [process.execPath, 'pipeline.ts'],
      env: { DATABASE_URL: shopUrl(shop), WAREHOUSE: path.join(shop.folder, 'warehouse') },
      isReady: async () => true,
    };
  }
  return {
    ...service,
    command: [process.execPath, 'api.ts'],
    env: {
      PORT: String(shop.apiPort),
      DATABASE_URL: shopUrl(shop),
      UPLOADS: path.join(shop.folder, 'uploads'),
      OUTBOX: path.join(shop.folder, 'outbox.log'),
    },
    isReady: async () => (await fetch(`${apiUrl(shop)}/healthz`)).status === 200,
  };
}

export async function startPart(shop: Shop, part: Part): Promise<void> {
  await startProcess(shop.folder, planOf(shop, part));
}

export async function stopPart(shop: Shop, part: Part): Promise<void> {
  await stopProcess(shop.folder, part, planOf(shop, part).stopSignal);
}

/** Closes the shop: every process of it is gone when it resolves. */
export async function closeShop(shop: Shop): Promise<void> {
  for (const part of PARTS.toReversed()) await stopPart(shop, part);
}
