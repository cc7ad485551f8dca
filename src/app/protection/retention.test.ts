/** Retention on a real repository and catalog: what must stay is still whole, what goes leaves nothing behind. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '#base';
import { listPoints as listPointRows, listCaptures as listRows } from '#catalog';
import {
  type CaptureEntry,
  checkRepository,
  holdSnapshot,
  listCaptures,
  listPoints,
  readCapture,
  releaseSnapshot,
} from '#repository';
import { applyRetention } from './retention.ts';
import { openTestProtection, type TestProtection } from './test-protection.ts';

const DAY_MS = 86_400_000;
const { signal } = new AbortController();
let protection: TestProtection;

beforeAll(async () => {
  protection = await openTestProtection('retention');
});
afterAll(() => protection?.remove());

const scope = { environment: 'shop', stage: 'production' };
async function left() {
  const { context, store } = protection;
  const { repository, catalog } = context;
  return {
    captures: (await listCaptures(repository, store.address)).map(({ id }) => id),
    snapshots: (await repository.snapshots.ids()).length,
    points: (await listPoints(repository, 'shop', 'production')).length,
    rows: (await listRows(catalog.pool, scope, 100)).filter((row) => row.store === 'uploads')
      .length,
    pointRows: (await listPointRows(catalog.pool, scope, 100)).length,
  };
}

test('removes what is older than it is kept, with all that belongs to it, and nothing else', async () => {
  const { context, store, folder } = protection;
  const { repository } = context;
  const ids: string[] = [];
  for (const content of ['one', 'two', 'three']) {
    await fs.writeFile(path.join(folder, 'uploads/file'), content.repeat(100_000));
    ids.push((await store.capture(systemClock.nowMs())).id);
  }
  expect(await left()).toMatchObject({ captures: ids, points: 3, rows: 3, pointRows: 3 });

  const soon = await applyRetention(context, [store], signal);
  expect(soon).toMatchObject({ captures: 0, points: 0 });
  expect((await left()).captures).toEqual(ids);

  const held = (await listCaptures(repository, store.address))[0] as CaptureEntry;
  const { snapshot } = await readCapture(repository, held);
  await holdSnapshot(repository, snapshot, 'a lawsuit');
  const lateMs = systemClock.nowMs() + 40 * DAY_MS;
  expect(await applyRetention(context, [store], signal, lateMs)).toMatchObject({ captures: 1 });
  expect((await left()).captures).toEqual([ids[0], ids[2]]);
  await releaseSnapshot(repository, snapshot, 'it is over');

  // A clock that lies behind what was captured is believed in nothing.
  await expect(applyRetention(context, [store], signal, 0)).rejects.toMatchObject({
    code: 'repository/clock-disagrees',
  });

  const late = await applyRetention(context, [store], signal, systemClock.nowMs() + 40 * DAY_MS);
  expect(late).toMatchObject({ captures: 1, points: 1 });
  // What stays: the newest capture, its point, and the infrastructure that the point refers to.
  expect(await left()).toEqual({
    captures: [ids[2]],
    snapshots: 2,
    points: 1,
    rows: 1,
    pointRows: 1,
  });

  const again = await applyRetention(context, [store], signal, systemClock.nowMs() + 40 * DAY_MS);
  expect(again).toMatchObject({ captures: 0, points: 0, pieces: 0 });
  const checked = await checkRepository(repository, { readData: true });
  expect(checked.problems).toEqual([]);

  const next = await store.capture(systemClock.nowMs());
  expect(next.statistics.bytes).toBe(500_000);
});
