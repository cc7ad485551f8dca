/** What a catalog that was lost learns of the repository: with the one that was captured, and without. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '#base';
import { listCaptures, listPoints } from '#catalog';
import { captureCatalog } from './own-captures.ts';
import { reconcile } from './reconcile.ts';
import { openTestProtection, type TestProtection } from './test-protection.ts';

const { signal } = new AbortController();
const scope = { environment: 'shop', stage: 'production' };
let protection: TestProtection;

const pool = () => protection.context.catalog.pool;
const rows = async () => ({
  captures: await listCaptures(pool(), scope, 100),
  points: await listPoints(pool(), scope, 100),
});
const lose = () => pool().query('truncate environment, store, capture, point, mark, gap, proof');

beforeAll(async () => {
  protection = await openTestProtection('reconcile');
  await fs.writeFile(path.join(protection.folder, 'uploads/file'), 'one');
  await protection.store.capture(systemClock.nowMs());
});
afterAll(() => protection?.remove());

test('all of it by the records alone, where none was captured', async () => {
  const before = await rows();
  expect(before.points).toHaveLength(1);
  await lose();
  expect(await reconcile(protection.context)).toMatchObject({
    captures: before.captures.length,
    points: 1,
  });
  expect(await rows()).toEqual(before);
});

test('all of it at once from the captured one', async () => {
  await captureCatalog(protection.context, signal);
  const before = await rows();
  await lose();
  expect(await reconcile(protection.context)).toMatchObject({ captures: 0, points: 0 });
  expect(await rows()).toEqual(before);
});

test('all of it by the records, where the captured one can not be read', async () => {
  const { context, storage } = protection;
  const before = await rows();
  for await (const { name } of storage.list('data/')) await storage.remove(name);
  await lose();
  expect(await reconcile(context)).toMatchObject({ captures: before.captures.length, points: 1 });
  expect(await rows()).toEqual(before);
});
