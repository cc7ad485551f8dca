import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeCopyConfig } from './copy-config.ts';

let folder: string;
beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-copy-config-'));
  await fs.mkdir(path.join(folder, 'bin'));
  await fs.mkdir(path.join(folder, 'lib'));
  for (const name of ['auto_explain', 'pg_cron', 'pglogical']) {
    await fs.writeFile(path.join(folder, 'lib', `${name}.so`), '');
  }
});
afterAll(() => fs.rm(folder, { recursive: true, force: true }));

async function written(original: Map<string, string>): Promise<Map<string, string>> {
  await writeCopyConfig({
    majorVersion: 18,
    original,
    binaries: path.join(folder, 'bin'),
    configFolder: folder,
    socketFolder: path.join(folder, 'socket'),
    port: 6000,
    restoreCommand: 'false',
    recoveryTimeline: 'current',
  });
  const lines = (await fs.readFile(path.join(folder, 'postgresql.conf'), 'utf8'))
    .trim()
    .split('\n');
  return new Map(lines.map((line) => line.split(/ = (.*)/) as [string, string]));
}

test('pages are looked up ahead of replay only where the WAL does not hold them whole', async () => {
  const prefetch = async (...original: [string, string][]) =>
    (await written(new Map(original))).get('recovery_prefetch');
  expect(await prefetch()).toBe("'off'");
  expect(await prefetch(['full_page_writes', 'TRUE'])).toBe("'off'");
  expect(await prefetch(['full_page_writes', 'off'])).toBeUndefined();
});

test('a copy takes what reaches nowhere, and of preloaded libraries what is here and keeps still', async () => {
  const settings = await written(
    new Map([
      ['shared_preload_libraries', 'pg_cron, "$libdir/auto_explain", not_installed, pglogical'],
      ['session_preload_libraries', 'auto_explain'],
      ['cron.database_name', 'shop'],
      ['auto_explain.log_min_duration', '10ms'],
      ['app.endpoint', 'https://shop.example/hook'],
      ['work_mem', "7MB'"],
      ['port', '5432'],
      ['archive_command', 'cp %p /archive/%f'],
      ['shared_buffers', '64GB'],
      ['huge_pages', 'on'],
    ]),
  );
  expect(Object.fromEntries(settings)).toMatchObject({
    shared_preload_libraries: "'auto_explain'",
    session_preload_libraries: "''",
    'auto_explain.log_min_duration': "'10ms'",
    'cron.launch_active_jobs': "'off'",
    work_mem: "'7MB'''",
    port: "'6000'",
    archive_command: "''",
    shared_buffers: "'128MB'",
    huge_pages: "'off'",
  });
  expect(settings.has('cron.database_name')).toBe(false);
  expect(settings.has('app.endpoint')).toBe(false);
});
