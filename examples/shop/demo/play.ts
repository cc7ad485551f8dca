/** The acts of the demo, in order. Each waits for what it needs to see, never for a time. */

import { readFile } from 'node:fs/promises';
import { waitUntil } from '../production/processes.ts';
import { isExact, readRecord, type Verification, verify } from '../verify.ts';
import { type Damage, strike } from './disaster.ts';
import { configuration } from './holdfast.ts';
import { countAcknowledged, letCustomersGo, letCustomersIn, type Stage } from './stage.ts';

export type Act = { text: string };

export type RecoveryReport = {
  id: string;
  title: string;
  tookMs: number;
  phases: { phase: string; tookMs: number }[];
  bytesRead: number;
  stores: {
    store: string;
    atMs: number;
    skewMs: number;
    leftBehind?: string;
    url: string;
    urlFile?: string;
    position?: { offset: string };
  }[];
  checks: { name: string; verdict: string }[];
  folder: string;
};

export type Outcome = {
  exact: boolean;
  damage: Damage;
  markAtMs: number;
  beside: { report: RecoveryReport; verification: Verification };
  inPlace: { report: RecoveryReport; verification: Verification };
  /** Orders acknowledged before the mark that the recovered database lacks, and seconds of them. */
  rpo: { transactions: number; seconds: number };
  stored: { sourceBytes: number; storedBytes: number };
  ordersAfterwards: number;
  tookMs: number;
};

export type Director = { tell(act: Act): void };

const ORDERS_BEFORE = 300;
const SHA = '4f2c1e';
const STATUS_EVERY_MS = 500;
const FILE = ['-f', configuration];

type StatusReport = {
  missed: number;
  unknown: number;
  stores: { source: string; protect: string; windows: unknown[]; captures: number }[];
};

async function isProtected(stage: Stage): Promise<boolean> {
  const { missed, unknown, stores } = (await stage.holdfast.run(
    ['status'],
    [0, 6],
  )) as StatusReport;
  const guarded = stores.filter((store) => store.protect !== 'none');
  const hasWindow = guarded.every(
    ({ source, windows }) => source !== 'postgres' || windows.length > 0,
  );
  return missed + unknown === 0 && hasWindow && guarded.every(({ captures }) => captures > 0);
}

async function protect(stage: Stage, { tell }: Director): Promise<void> {
  const plan = await stage.holdfast.show(['plan', ...FILE], [0, 6]);
  tell({ text: `\n$ holdfast plan\n${plan}` });
  await stage.holdfast.show(['up', '-d', ...FILE]);
  await waitUntil(() => isProtected(stage), 'every objective to be met', STATUS_EVERY_MS);
}

async function recover(stage: Stage, words: readonly string[]): Promise<RecoveryReport> {
  const begun = performance.now();
  const report = await stage.holdfast.run([
    'recover',
    '--to',
    `before deploy ${SHA}`,
    '--yes',
    ...words,
    ...FILE,
  ]);
  return { ...(report as RecoveryReport), tookMs: Math.round(performance.now() - begun) };
}

async function hold(
  stage: Stage,
  report: RecoveryReport,
  uploadsFolder: string,
  url: string,
): Promise<Verification> {
  const orders = report.stores.find(({ store }) => store === 'orders');
  const uploads = report.stores.find(({ store }) => store === 'uploads');
  if (!orders?.position || !uploads)
    throw new Error('the recovery does not say what it brought back');
  return await verify(await readRecord(stage.record), {
    databaseUrl: url,
    uploads: uploadsFolder,
    position: BigInt(orders.position.offset),
    uploadsAtMs: uploads.atMs,
  });
}

export async function playDemo(stage: Stage, director: Director): Promise<Outcome> {
  const { tell } = director;
  const begun = performance.now();
  await letCustomersIn(stage);
  await protect(stage, director);
  tell({ text: '\nProtected. Customers keep ordering…' });
  await waitUntil(
    async () => (await countAcknowledged(stage)) > ORDERS_BEFORE,
    'customers to order',
  );
  tell({ text: `\n$ holdfast status\n${await stage.holdfast.show(['status'], [0, 6])}` });

  const mark = await stage.holdfast.run(['mark', 'deploy', '--sha', SHA, '--author', 'kim']);
  const damage = await strike(stage.shop);
  tell({
    text: `\n✗ deploy ${SHA} emptied ${damage.ordersEmptied} orders, and ${damage.uploadsEncrypted} uploads are encrypted.`,
  });

  tell({ text: `\n$ holdfast recover --to "before deploy ${SHA}"` });
  const beside = await recover(stage, []);
  const recovered = (name: string) => beside.stores.find(({ store }) => store === name);
  // What is printed holds no password: the whole address lies in a file that only its owner reads.
  const databaseUrl = await readFile(recovered('orders')?.urlFile ?? '', 'utf8');
  const uploads = recovered('uploads')?.url ?? '';
  const heldBeside = await hold(stage, beside, uploads, databaseUrl.trim());
  tell({
    text: `✓ beside production in ${(beside.tookMs / 1000).toFixed(1)}s, checked against the record`,
  });

  await letCustomersGo(stage);
  tell({ text: `\n$ holdfast recover --to "before deploy ${SHA}" --in-place` });
  const inPlace = await recover(stage, ['--in-place']);
  const uploadsFolder = `${stage.shop.folder}/uploads`;
  const heldInPlace = await hold(
    stage,
    inPlace,
    uploadsFolder,
    stage.environment.ORDERS_URL as string,
  );
  tell({
    text: `✓ in place in ${(inPlace.tookMs / 1000).toFixed(1)}s, checked against the record`,
  });

  const before = await countAcknowledged(stage);
  await letCustomersIn(stage);
  const status = (await stage.holdfast.run(['status'], [0, 6])) as {
    stores: { sizeBytes?: number; storedBytes?: number }[];
  };
  const sum = (key: 'sizeBytes' | 'storedBytes') =>
    status.stores.reduce((total, store) => total + (store[key] ?? 0), 0);
  return {
    exact: isExact(heldBeside) && isExact(heldInPlace),
    damage,
    markAtMs: Number(mark.atMs),
    beside: { report: beside, verification: heldBeside },
    inPlace: { report: inPlace, verification: heldInPlace },
    rpo: rpoOf(heldBeside, beside, Number(mark.atMs)),
    stored: { sourceBytes: sum('sizeBytes'), storedBytes: sum('storedBytes') },
    ordersAfterwards: (await countAcknowledged(stage)) - before,
    tookMs: Math.round(performance.now() - begun),
  };
}

function rpoOf(held: Verification, report: RecoveryReport, markAtMs: number): Outcome['rpo'] {
  const orders = report.stores.find(({ store }) => store === 'orders');
  const lateMs = Math.max(0, markAtMs - (orders?.atMs ?? markAtMs));
  return { transactions: held.ordersMissing.length, seconds: lateMs / 1000 };
}
