/** The catalog is protected without giving its own protection something to protect. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '#base';
import { noteMaintenanceDone } from '#catalog';
import { captureCatalog, captureInfrastructure } from './own-captures.ts';
import { openTestProtection, type TestProtection } from './test-protection.ts';

const { signal } = new AbortController();
let protection: TestProtection;

beforeAll(async () => {
  protection = await openTestProtection('own-captures');
  await fs.writeFile(path.join(protection.folder, 'uploads/file'), 'one');
  await protection.store.capture(systemClock.nowMs());
});
afterAll(() => protection?.remove());

test('a catalog is captured when it holds something new, and not for what was captured of it', async () => {
  const { context, store } = protection;
  expect(await captureCatalog(context, signal)).toMatchObject({ kind: 'catalog' });
  const run = { environment: 'shop', stage: 'production', task: 'check', atMs: 1 };
  await noteMaintenanceDone(context.catalog.pool, run, {});
  expect(await captureCatalog(context, signal)).toBeUndefined();
  await store.capture(systemClock.nowMs());
  expect(await captureCatalog(context, signal)).toMatchObject({ kind: 'catalog' });
});

test('infrastructure is captured again only when a file of it changed', async () => {
  const { context } = protection;
  const first = await captureInfrastructure(context, signal);
  expect((await captureInfrastructure(context, signal)).id).toBe(first.id);
});
