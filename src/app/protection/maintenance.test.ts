/** On a real repository and catalog: what maintenance does by itself, and what a person is told of it. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '#base';
import { maintenanceStatus } from '../operations/maintenance-status.ts';
import { checkWhole, pruneUnused } from './maintenance.ts';
import { applyRetention } from './retention.ts';
import { openTestProtection, type TestProtection } from './test-protection.ts';

const DAY_MS = 86_400_000;
const { signal } = new AbortController();
let protection: TestProtection;

beforeAll(async () => {
  protection = await openTestProtection('maintenance', ', check: {every: 1d, period: 1d}');
  for (const content of ['one', 'two']) {
    await fs.writeFile(path.join(protection.folder, 'uploads/file'), content.repeat(50_000));
    await protection.store.capture(systemClock.nowMs());
  }
});
afterAll(() => protection?.remove());

const told = () => maintenanceStatus(protection.context);

test('a check reads what is due, and says how much was read in time', async () => {
  expect((await told()).check).toEqual({ verdict: 'unknown' });
  await checkWhole(protection.context, signal);
  const { check, findings } = await told();
  expect(check).toMatchObject({ verdict: 'pass', problemCount: 0, overdue: 0 });
  // But for the note of what was read, which is newer than the check.
  expect(check.freshBytes).toBeGreaterThan((check.totalBytes ?? 0) * 0.9);
  expect(check.readBytes).toBeGreaterThan(0);
  expect(findings).toEqual([]);
});

test('what retention let go is marked, and left alone until its grace has passed', async () => {
  const { context, store, storage } = protection;
  const late = systemClock.nowMs() + 40 * DAY_MS;
  expect(await applyRetention(context, [store], signal, late)).toMatchObject({ captures: 1 });
  const packs = async () => {
    const names: string[] = [];
    for await (const { name } of storage.list('data/')) names.push(name);
    return names.sort();
  };
  const before = await packs();
  await pruneUnused(context, signal);
  const { prune, findings } = await told();
  expect(prune.nextSweepMs).toBeGreaterThan(systemClock.nowMs());
  expect(await packs()).toEqual(before);
  expect(findings).toEqual([]);
});

test('damage is named loudly, with what it costs', async () => {
  const { context, storage } = protection;
  const names: string[] = [];
  for await (const { name } of storage.list('data/')) names.push(name);
  for (const name of names) {
    const bytes = Buffer.from(await storage.read(name));
    bytes.writeUInt8((bytes[5] as number) ^ 1, 5);
    await storage.write(name, [bytes]);
  }
  await checkWhole(context, signal);
  const { check, findings } = await told();
  expect(check.verdict).toBe('fail');
  expect(findings[0]).toMatch(/^the repository is damaged: \d+ problems/);
  expect(findings.length).toBeGreaterThan(1);
});

test('a run that could not be made is said, and what the last one found stays', async () => {
  const { context, storage } = protection;
  await storage.write(`locks/${'ab'.repeat(32)}`, [Buffer.from('nonsense')]);
  await expect(checkWhole(context, signal)).rejects.toThrow();
  const { check } = await told();
  expect(check.verdict).toBe('fail');
  expect(check.failing?.what).toContain('lock');
});
