/** On a real embedded Postgres: made, migrated, killed, taken over, dumped and loaded. */
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { quietLogger } from '#base';
import { type Catalog, openCatalog } from './catalog.ts';
import { migrate, readMigrations } from './migrate.ts';
import { digestTables, dumpTables, loadTables } from './queries/dump.ts';
import { listEnvironments, saveEnvironment } from './queries/environments.ts';
import { assertOwnership, takeOwnership } from './queries/owner.ts';
import { saveProof } from './queries/proofs.ts';
import {
  listCaptures,
  listMarks,
  saveCapture,
  saveGap,
  saveMark,
  savePoint,
} from './queries/records.ts';

let base: string;
let catalog: Catalog;

beforeAll(async () => {
  base = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast catalog-'));
  await fs.chmod(base, 0o755);
  catalog = await openCatalog({
    kind: 'embedded',
    folder: path.join(base, 'catalog'),
    log: quietLogger,
  });
});

afterAll(async () => {
  await catalog?.close();
  await fs.rm(base, { recursive: true, force: true });
});

const capture = {
  id: '20261121T104207123Z-k2m4q8ab',
  environment: 'shop',
  stage: 'production',
  store: 'orders',
  kind: 'base',
  snapshot: 'ab'.repeat(32),
  startedAtMs: 1_795_257_727_000,
  endedAtMs: 1_795_257_728_000,
  record: { start: { line: 1, offset: 18446744073709551615n } },
};

describe('the catalog', () => {
  test('is UTF-8 with checksums, and its password is readable by its owner alone', async () => {
    const { rows } = await catalog.pool.query(
      "select current_setting('server_encoding') as encoding, current_setting('data_checksums') as checksums",
    );
    expect(rows).toEqual([{ encoding: 'UTF8', checksums: 'on' }]);
    const { mode } = await fs.stat(path.join(base, 'catalog/password'));
    expect(mode & 0o777).toBe(0o600);
  });

  test('migrates once, and not from a changed or newer file', async () => {
    const migrations = await readMigrations();
    expect(await migrate(catalog.pool, migrations)).toEqual([]);
    const [first, ...rest] = migrations;
    if (!first) throw new Error('no migration was found');
    const changed = [{ ...first, digest: 'other' }, ...rest];
    await expect(migrate(catalog.pool, changed)).rejects.toMatchObject({
      code: 'catalog/changed-migration',
    });
    await expect(migrate(catalog.pool, rest)).rejects.toMatchObject({
      code: 'catalog/newer-schema',
    });
  });

  test('a migration that fails leaves nothing behind', async () => {
    const broken = {
      name: '9999-broken.sql',
      sql: 'create table half (id int); select nonsense;',
      digest: 'x',
    };
    const all = [...(await readMigrations()), broken];
    await expect(migrate(catalog.pool, all)).rejects.toMatchObject({
      code: 'catalog/migration-failed',
    });
    const { rows } = await catalog.pool.query("select to_regclass('holdfast.half') as half");
    expect(rows).toEqual([{ half: null }]);
  });

  test('keeps a record once, whole, with its 64-bit numbers', async () => {
    await saveCapture(catalog.pool, capture);
    await saveCapture(catalog.pool, capture);
    const rows = await listCaptures(catalog.pool, capture, 10);
    expect(rows).toEqual([
      { ...capture, record: { start: { line: 1, offset: '18446744073709551615' } } },
    ]);
  });

  test('fences whoever owned it before', async () => {
    const older = await takeOwnership(catalog.pool, 'first', 'one');
    await assertOwnership(catalog.pool, older);
    const newer = await takeOwnership(catalog.pool, 'second', 'two');
    expect(newer.id).toBe(older.id);
    await assertOwnership(catalog.pool, newer);
    await expect(assertOwnership(catalog.pool, older)).rejects.toMatchObject({
      code: 'catalog/fenced',
      message: expect.stringContaining('two'),
    });
  });

  test('a dump loads into an empty catalog as it was', async () => {
    const file = {
      name: 'shop',
      stage: 'production',
      file: '/srv/holdfast.yaml',
      overlay: undefined,
    };
    await saveEnvironment(catalog.pool, file, [
      { name: 'orders', source: 'postgres', declared: { rpoMs: 5000 } },
    ]);
    await saveMark(catalog.pool, {
      id: 'm1',
      environment: 'shop',
      stage: 'production',
      kind: 'deploy',
      atMs: 1_795_257_727_000,
      note: "o'clock\n\u{1f680}",
      record: {},
    });
    const { pool } = catalog;
    const shared = { environment: 'shop', stage: 'production', record: { n: 1 } };
    const times = { instantMs: 1000, startedAtMs: 2000, endedAtMs: 3000 };
    await savePoint(pool, { ...shared, id: 'p1', atMs: 1000 });
    await saveGap(pool, { ...shared, id: 'g1', store: 'orders', fromMs: 1000, because: 'a cut' });
    await saveProof(pool, { ...shared, ...times, id: 'r1', point: 'p1', verdict: 'pass' });
    const before = await digestTables(catalog.pool, capture);
    let text = '';
    for await (const part of dumpTables(catalog.pool, capture)) text += part.toString();
    const tables = ['environment', 'store', 'capture', 'point', 'mark', 'gap', 'proof'];
    for (const table of tables) expect(text).toContain(`["${table}",{`);
    await pool.query(`truncate ${tables.join(', ')}`);
    const lines = async function* () {
      yield* text.split('\n');
    };
    expect(await loadTables(pool, lines())).toBeGreaterThanOrEqual(tables.length);
    expect(await digestTables(catalog.pool, capture)).toBe(before);
    expect(await listEnvironments(catalog.pool)).toMatchObject([file]);
    expect(await listMarks(catalog.pool, capture, 5)).toMatchObject([
      { note: "o'clock\n\u{1f680}" },
    ]);
  });
});

test('a catalog whose holder was killed is taken over with everything acknowledged', async () => {
  const folder = path.join(base, 'killed/catalog');
  await fs.mkdir(path.dirname(folder), { mode: 0o755 });
  const fixture = fileURLToPath(new URL('catalog.fixture.ts', import.meta.url));
  const child = spawn(process.execPath, [fixture, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const acknowledged = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (bytes) => resolve(String(bytes)));
    child.once('close', () => reject(new Error('the fixture ended')));
  });
  child.kill('SIGKILL');
  const again = await openCatalog({ kind: 'embedded', folder, log: quietLogger });
  try {
    const { rows } = await again.pool.query('select kind from mark');
    expect(rows).toEqual([{ kind: acknowledged.trim() }]);
  } finally {
    await again.close();
  }
});

test('a Postgres that is not there is named without its password', async () => {
  const { Secret } = await import('#base');
  const url = new Secret('postgresql://holdfast:hunter2@127.0.0.1:1/none');
  const opening = openCatalog({ kind: 'shared', url, log: quietLogger });
  await expect(opening).rejects.toMatchObject({ code: 'catalog/unreachable', retryable: true });
  await expect(opening).rejects.not.toThrow('hunter2');
});
