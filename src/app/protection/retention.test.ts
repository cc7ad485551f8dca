/** Retention on a real repository and catalog: what must stay is still whole, what goes leaves nothing behind. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quietLogger, Secret, systemClock } from '#base';
import {
  type Catalog,
  listPoints as listPointRows,
  listCaptures as listRows,
  openCatalog,
} from '#catalog';
import { loadEnvironment } from '#environment';
import {
  checkRepository,
  createRepository,
  listCaptures,
  listPoints,
  openStorage,
  type Repository,
} from '#repository';
import { findSource } from '#sources';
import type { Jobs } from '../durable/jobs.ts';
import type { ProtectionContext } from './context.ts';
import { captureInfrastructure } from './own-captures.ts';
import { publishCapture, publishPoint } from './publish.ts';
import { applyRetention } from './retention.ts';
import { createSlots } from './slots.ts';
import { type ProtectedStore, StoreProtection } from './store-protection.ts';

const DAY_MS = 86_400_000;
const { signal } = new AbortController();
let folder: string;
let catalog: Catalog;
let repository: Repository;
let context: ProtectionContext;
let store: StoreProtection;

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-retention-'));
  await fs.chmod(folder, 0o755);
  await fs.mkdir(path.join(folder, 'uploads'));
  await fs.writeFile(
    path.join(folder, 'holdfast.yaml'),
    `apiVersion: holdfast/v1
name: shop
repository: {url: "memory:retention", password: "\${RETENTION_PASSWORD}"}
stores:
  uploads: {type: files, path: "${folder}/uploads", protect: {every: 1h}, keep: 30d}
`,
  );
  const storage = await openStorage('memory:retention');
  repository = await createRepository({ storage, password: new Secret('secret') });
  catalog = await openCatalog({
    kind: 'embedded',
    folder: path.join(folder, 'catalog'),
    log: quietLogger,
  });
  const environment = await loadEnvironment({
    file: path.join(folder, 'holdfast.yaml'),
    variables: { RETENTION_PASSWORD: 'secret' },
  });
  context = {
    ...{ environment, repository, catalog, folder },
    // Retention starts no job.
    jobs: undefined as unknown as Jobs,
    slots: createSlots(1),
    log: quietLogger,
  };
  store = new StoreProtection({
    context,
    store: environment.stores[0] as ProtectedStore,
    source: findSource('files') as NonNullable<ReturnType<typeof findSource>>,
    onCaptured: async (record) => {
      await publishCapture(context, record);
      const infrastructure = await captureInfrastructure(context, signal);
      await publishPoint(context, new Map([['uploads', record]]), infrastructure.id);
    },
  });
});

afterAll(async () => {
  await repository?.close();
  await catalog?.close();
  await fs.rm(folder, { recursive: true, force: true });
});

const scope = { environment: 'shop', stage: 'production' };
const left = async () => ({
  captures: (await listCaptures(repository, store.address)).map(({ id }) => id),
  snapshots: (await repository.snapshots.ids()).length,
  points: (await listPoints(repository, 'shop', 'production')).length,
  rows: (await listRows(catalog.pool, scope, 100)).filter((row) => row.store === 'uploads').length,
  pointRows: (await listPointRows(catalog.pool, scope, 100)).length,
});

test('removes what is older than it is kept, with all that belongs to it, and nothing else', async () => {
  const ids: string[] = [];
  for (const content of ['one', 'two', 'three']) {
    await fs.writeFile(path.join(folder, 'uploads/file'), content.repeat(100_000));
    ids.push((await store.capture(systemClock.nowMs())).id);
  }
  expect(await left()).toMatchObject({ captures: ids, points: 3, rows: 3, pointRows: 3 });

  const soon = await applyRetention(context, [store], signal);
  expect(soon).toMatchObject({ captures: 0, points: 0 });
  expect((await left()).captures).toEqual(ids);

  const late = await applyRetention(context, [store], signal, systemClock.nowMs() + 40 * DAY_MS);
  expect(late).toMatchObject({ captures: 2, points: 2 });
  expect(late.freedBytes).toBeGreaterThan(0);
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
