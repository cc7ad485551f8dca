/** On a real embedded Postgres, with sessions that are cut. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quietLogger, sleepMs } from '#base';
import { type Catalog, openCatalog } from './catalog.ts';
import { type Leadership, tryToLead, waitToLead } from './leadership.ts';
import { takeOwnership } from './queries/owner.ts';

let base: string;
let catalog: Catalog;

beforeAll(async () => {
  base = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-leadership-'));
  await fs.chmod(base, 0o755);
  const folder = path.join(base, 'catalog');
  catalog = await openCatalog({ kind: 'embedded', folder, log: quietLogger });
});

afterAll(async () => {
  await catalog?.close();
  await fs.rm(base, { recursive: true, force: true });
});

const contender = (holder: string) => ({
  ...{ url: catalog.url, pool: catalog.pool, log: quietLogger },
  proposedId: holder,
  holder,
});

async function leaderSessions(): Promise<number[]> {
  const { rows } = await catalog.pool.query<{ pid: number }>(
    "select l.pid from pg_locks l join pg_stat_activity a using (pid) where locktype = 'advisory' and granted and application_name = 'holdfast leader'",
  );
  return rows.map(({ pid }) => pid);
}

async function cutSession(): Promise<number> {
  const [pid] = (await leaderSessions()) as [number];
  await catalog.pool.query('select pg_terminate_backend($1)', [pid]);
  return pid;
}

const isLost = (leadership: Leadership) =>
  Promise.race([leadership.lost.catch(() => true), sleepMs(0).then(() => false)]);

test('one leads at a time, the next one when the first lets go', async () => {
  const first = (await tryToLead(contender('one'))) as Leadership;
  expect(await tryToLead(contender('two'))).toBeUndefined();
  const waiting = waitToLead(contender('two'), AbortSignal.timeout(30_000));
  await first.release();
  const second = (await waiting) as Leadership;
  expect(second.ownership.epoch).toBe(first.ownership.epoch + 1n);
  expect(second.ownership.id).toBe(first.ownership.id);
  await second.release();
});

test('a session that is cut is taken up again while nobody else has led', async () => {
  const leading = (await tryToLead(contender('one'))) as Leadership;
  const cut = await cutSession();
  while (!(await leaderSessions()).some((pid) => pid !== cut)) await sleepMs(50);
  expect(await isLost(leading)).toBe(false);
  expect(await tryToLead(contender('two'))).toBeUndefined();
  await leading.release();
});

test('one that was cut off while another took over learns who leads', async () => {
  const cutOff = (await tryToLead(contender('one'))) as Leadership;
  await takeOwnership(catalog.pool, 'any', 'another host');
  await cutSession();
  await expect(cutOff.lost).rejects.toMatchObject({
    code: 'catalog/fenced',
    message: expect.stringContaining('another host'),
  });
  await cutOff.release();
});
