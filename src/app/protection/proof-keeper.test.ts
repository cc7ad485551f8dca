/** Proofs of one environment on a real catalog and repository, and what becomes of their records. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '#base';
import { lastProofs, listPoints, listProofs as listRows, removeRecords } from '#catalog';
import { listProofs } from '#repository';
import { ProofKeeper } from './proof-keeper.ts';
import { expendableProofs, removeProofs } from './proof-retention.ts';
import { reconcile } from './reconcile.ts';
import { openTestProtection, type TestProtection } from './test-protection.ts';

const DAY_MS = 86_400_000;
const scope = { environment: 'shop', stage: 'production' };
let protection: TestProtection;
let keeper: ProofKeeper;

beforeAll(async () => {
  protection = await openTestProtection('proofs');
  const { context, store, folder } = protection;
  keeper = new ProofKeeper({
    context,
    signal: new AbortController().signal,
    newest: () => (store.newest ? [store.newest] : []),
  });
  await fs.writeFile(path.join(folder, 'uploads/file'), 'one');
  await store.capture(systemClock.nowMs());
});
afterAll(() => protection?.remove());

const rows = () => listRows(protection.context.catalog.pool, scope, 10);

test('one that is asked for is of the newest point, and its copy goes', async () => {
  const { catalog, repository, proving } = protection.context;
  const { proof } = await keeper.proveAsked({ full: false });
  const [point] = await listPoints(catalog.pool, scope, 1);
  expect(proof).toMatchObject({
    ...{ verdict: 'pass', point: point?.id, instantMs: point?.atMs },
    checks: [{ name: 'files of uploads', verdict: 'pass' }],
    by: { version: '0.0.0', controlPlane: 'cp-test' },
  });
  expect(await fs.readdir(proving.folder)).toEqual([]);
  expect(await listProofs(repository, 'shop', 'production')).toEqual([proof.id]);
  const last = await lastProofs(catalog.pool, [point?.id ?? '']);
  expect(last.get(point?.id ?? '')).toMatchObject({ id: proof.id, verdict: 'pass' });
});

test('none is made by itself while something else goes on, or just has', async () => {
  const { context, folder, store } = protection;
  expect(await keeper.proveDue()).toEqual({ waitsFor: undefined });
  await fs.writeFile(path.join(folder, 'uploads/file'), 'two');
  await store.capture(systemClock.nowMs());
  // The new point has to settle; a change of what is declared asks for one at once.
  context.environment.texts = [{ path: 'holdfast.yaml', text: 'changed' }];
  context.environment.proofs = { cpuShare: 1e9, readShare: 1, quietMs: 60_000 };
  const busy = context.activity.during('a capture of uploads', () => keeper.proveDue());
  expect(await busy).toEqual({ waitsFor: 'a capture of uploads, which is under way' });
  expect(await keeper.proveDue()).toEqual({ waitsFor: 'a quiet moment of this server' });
  context.environment.proofs.cpuShare = 1e-9;
  expect(await keeper.proveDue()).toEqual({
    waitsFor: expect.stringMatching(/^what proofs may cost, for /),
  });
  expect(await rows()).toHaveLength(1);
});

test('a lost catalog learns of them again', async () => {
  const { context } = protection;
  const before = await rows();
  await removeRecords(
    context.catalog.pool,
    'proof',
    before.map(({ id }) => id),
  );
  expect(await reconcile(context)).toMatchObject({ proofs: 1 });
  expect(await rows()).toEqual(before);
});

test('of what can not be recovered any more one a day is kept, for a year', async () => {
  const nowMs = 1_790_000_000_000;
  const proof = (id: string, daysAgo: number, point?: string, verdict = 'pass') => {
    const endedAtMs = nowMs - daysAgo * DAY_MS;
    return { id, point, verdict, endedAtMs, instantMs: endedAtMs - 1000 };
  };
  const points = [{ id: 'p', atMs: nowMs - 10 * DAY_MS }];
  const proofs = [
    proof('newest', 0, 'gone', 'fail'),
    proof('window', 5),
    proof('of-a-point', 12, 'p'),
    proof('day', 20),
    proof('same-day', 20.1),
    proof('long-ago', 400),
  ];
  const ids = (all: typeof proofs) => expendableProofs(all, points, nowMs).map(({ id }) => id);
  expect(ids(proofs)).toEqual(['same-day', 'long-ago']);
  expect(ids([proof('only', 400, 'gone')])).toEqual([]);
  expect(await removeProofs(protection.context, systemClock.nowMs())).toBe(0);
});
