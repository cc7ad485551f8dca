import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  embeddedPostgres,
  type PostgresInstallation,
  usablePostgres,
} from './postgres-binaries.ts';

const run = promisify(execFile);
/** Some user of every Debian that isn't root. */
const NOBODY = { uid: 65_534, gid: 65_534 };

let folder: string;
let original: PostgresInstallation;

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast binaries-'));
  await fs.chmod(folder, 0o755);
  original = (await embeddedPostgres()) as PostgresInstallation;
});
afterAll(() => fs.rm(folder, { recursive: true, force: true }));

async function installedIn(name: string): Promise<PostgresInstallation> {
  const prefix = path.join(folder, name);
  await fs.cp(original.prefix, prefix, { recursive: true, verbatimSymlinks: true });
  return { ...original, prefix, version: `${original.version}-${name}` };
}

async function expectRuns(bin: string, as = {}): Promise<void> {
  for (const name of ['postgres', 'initdb']) {
    const { stdout } = await run(path.join(bin, name), ['--version'], { ...as, cwd: '/' });
    expect(stdout).toContain('18');
  }
}

test('an installation without its links is copied once, whole, and runs', async () => {
  const installed = await installedIn('unlinked');
  for (const { at, to } of installed.links) {
    const link = path.join(installed.prefix, at);
    await fs.access(path.join(path.dirname(link), to));
    await fs.rm(link);
  }
  const copies = path.join(folder, 'copies');
  const found = await Promise.all([
    usablePostgres(installed, copies, {}),
    usablePostgres(installed, copies, {}),
  ]);
  const bin = path.join(copies, installed.version, 'native', 'bin');
  expect(found).toEqual([bin, bin]);
  expect(await fs.readdir(copies)).toEqual([installed.version]);
  await expectRuns(bin);
});

test.runIf(process.getuid?.() === 0)(
  'one that the user cannot reach is laid where it can, and used where it lies by who can',
  async () => {
    const installed = await installedIn('hidden');
    const own = path.join(installed.prefix, 'bin');
    const copies = path.join(folder, 'reachable');
    await fs.chmod(installed.prefix, 0o700);
    expect(await usablePostgres(installed, copies, {})).toBe(own);
    const bin = await usablePostgres(installed, copies, NOBODY);
    expect(bin).toBe(path.join(copies, installed.version, 'native', 'bin'));
    await expectRuns(bin as string, NOBODY);
    expect(await usablePostgres(installed, copies, NOBODY)).toBe(bin);
    await fs.mkdir(path.join(folder, 'closed'), { mode: 0o700 });
    expect(await usablePostgres(installed, path.join(folder, 'closed'), NOBODY)).toBeUndefined();
  },
);
