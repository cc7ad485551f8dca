/** The stage of the demo: a folder, the shop in it, its customers, and Holdfast pointed at it. All of it can be struck. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { startProcess, stopProcess } from '../production/processes.ts';
import { apiUrl, closeShop, loadShop, openShop, type Shop, shopUrl } from '../production/shop.ts';
import { type Holdfast, holdfastWith } from './holdfast.ts';

export type Stage = {
  folder: string;
  shop: Shop;
  holdfast: Holdfast;
  /** File of what was acknowledged. */
  record: string;
  repository: string;
  environment: Record<string, string>;
};

/** What of it is written down, so that a stage left standing can be struck later. */
type StageFile = Omit<Stage, 'holdfast'>;

const stageFile = (folder: string) => path.join(folder, 'stage.json');

const CUSTOMERS = 'customers';
const shopFolder = path.resolve(import.meta.dirname, '..');
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** Databases run as a user of their own, who must be able to enter every folder above their data. */
async function makeFolder(): Promise<string> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-demo-'));
  await fs.chmod(folder, 0o755);
  return folder;
}

export async function setStage(signal: AbortSignal): Promise<Stage> {
  const folder = await makeFolder();
  try {
    return await furnish(folder, signal);
  } catch (error) {
    await clearAway(folder);
    throw error;
  }
}

/** Of a stage that was never finished: whatever of the shop was opened is closed. */
async function clearAway(folder: string): Promise<void> {
  const shop = await loadShop(path.join(folder, 'shop')).catch(() => undefined);
  if (shop) await closeShop(shop);
  await fs.rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function furnish(folder: string, signal: AbortSignal): Promise<Stage> {
  const shop = await openShop(await subfolder(folder, 'shop'));
  const repository = path.join(folder, 'repository');
  const control = await writeControl(shop);
  const environment = {
    HOLDFAST_STATE: path.join(folder, 'holdfast'),
    SHOP_REPOSITORY: repository,
    SHOP_REPOSITORY_PASSWORD: randomBytes(18).toString('base64url'),
    SHOP_DATA: shop.folder,
    SHOP_CONTROL: control,
    ORDERS_URL: shopUrl(shop),
  };
  const record = path.join(folder, 'acknowledged.jsonl');
  const written: StageFile = { folder, shop, record, repository, environment };
  await fs.writeFile(stageFile(folder), JSON.stringify(written), { mode: 0o600 });
  signal.throwIfAborted();
  return { ...written, holdfast: holdfastWith(environment, signal) };
}

/** A stage that an earlier run left standing. */
export async function findStage(folder: string, signal: AbortSignal): Promise<Stage> {
  const written = JSON.parse(await fs.readFile(stageFile(folder), 'utf8')) as StageFile;
  return { ...written, holdfast: holdfastWith(written.environment, signal) };
}

/** One program that starts and stops the shop's parts, as an init system would offer it. */
async function writeControl(shop: Shop): Promise<string> {
  const file = path.join(shop.folder, 'control');
  const script = path.join(shopFolder, 'production', 'control.ts');
  const words = [process.execPath, script, shop.folder].map(quoted).join(' ');
  await fs.writeFile(file, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  return file;
}

async function subfolder(folder: string, name: string): Promise<string> {
  const made = path.join(folder, name);
  await fs.mkdir(made, { mode: 0o755 });
  return made;
}

/** Customers begin to order; resolves when a new order was acknowledged. */
export async function letCustomersIn(stage: Stage): Promise<void> {
  const script = path.join(shopFolder, 'load.ts');
  const before = await countAcknowledged(stage);
  await startProcess(stage.folder, {
    name: CUSTOMERS,
    command: [process.execPath, script, apiUrl(stage.shop), stage.record],
    cwd: shopFolder,
    env: {},
    isReady: async () => (await countAcknowledged(stage)) > before,
    stopSignal: 'SIGTERM',
  });
}

export async function countAcknowledged(stage: Stage): Promise<number> {
  const text = await fs.readFile(stage.record, 'utf8').catch(() => '');
  return text.split('\n').length - 1;
}

/** Customers leave; resolves when none of their orders is under way. */
export async function letCustomersGo(stage: Stage): Promise<void> {
  await stopProcess(stage.folder, CUSTOMERS, 'SIGTERM');
}

/** Everything is stopped and removed; never throws for what is gone already. */
export async function strikeStage(stage: Stage): Promise<void> {
  await letCustomersGo(stage);
  const quiet = holdfastWith(stage.environment, new AbortController().signal);
  const { recoveries } = (await quiet
    .run(['recovery', 'list'], [0])
    .catch(() => ({ recoveries: [] }))) as { recoveries: { id: string }[] };
  for (const { id } of recoveries)
    await quiet.show(['recovery', 'remove', id, '--yes']).catch(() => '');
  await quiet.show(['down', '--purge', '--yes']).catch(() => '');
  await closeShop(stage.shop);
  await fs.rm(stage.folder, { recursive: true, force: true, maxRetries: 5 });
}
