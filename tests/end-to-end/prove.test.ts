/** Proofs by the command line alone: repository and password are enough, and nothing is left of the copy. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listProofs } from '#repository';
import { mountsIn, type Place, processesIn, runHoldfast } from './site/command.ts';
import { openProtectedSite, type ProtectedSite } from './site/protected-site.ts';

type Check = { name: string; verdict: string; what: string };
type Shown = { id: string; verdict: string; checks: Check[]; readBytes: number; cpuMs: number };

let site: ProtectedSite;
let place: Place;
let root: string;

async function prove(...words: string[]): Promise<{ code: number | null; proof: Shown }> {
  const all = ['prove', 'latest', ...words, '--json', '--target', root];
  const { code, output, errors } = await runHoldfast(place, all);
  expect(errors).toBe('');
  expect(await fs.readdir(root)).toEqual([]);
  expect(await mountsIn(root)).toEqual([]);
  return { code, proof: JSON.parse(output) as Shown };
}

async function packs(): Promise<string[]> {
  const folder = path.join(site.folder, 'repository/data');
  const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((one) => one.isFile()).map((one) => path.join(one.parentPath, one.name));
}

describe.runIf(process.getuid?.() === 0)('a proof without a server', { timeout: 240_000 }, () => {
  beforeAll(async () => {
    site = await openProtectedSite(15);
    await site.server.sql('insert into numbers select generate_series(1, 100000)');
    await site.shipped();
    root = path.join(site.folder, 'proofs');
    place = site.place;
  }, 120_000);
  afterAll(() => site?.remove());

  test('brings the instant up, looks at it, and leaves nothing but its record', async () => {
    await fs.writeFile(path.join(site.uploads, 'one.bin'), randomBytes(2 ** 20));
    await site.captureFiles();
    const { code, proof } = await prove();
    expect(proof.checks).toMatchObject([
      { name: 'dense', verdict: 'pass' },
      { name: 'pages of numbers', verdict: 'pass' },
      { name: 'files of uploads', verdict: 'pass', what: '1 file read, 1.0 MiB' },
    ]);
    expect(code).toBe(0);
    expect(proof.readBytes).toBeGreaterThan(2 ** 20);
    expect(proof.cpuMs).toBeGreaterThan(0);
    expect(await listProofs(site.repository, 'site', 'production')).toEqual([proof.id]);
    expect(await processesIn(root)).toEqual([]);
  });

  test('names the file that can not come back', async () => {
    const before = new Set(await packs());
    await fs.writeFile(path.join(site.uploads, 'two.bin'), randomBytes(2 ** 20));
    await site.captureFiles();
    for (const pack of await packs()) {
      if (before.has(pack)) continue;
      await fs.chmod(pack, 0o600);
      const { size } = await fs.stat(pack);
      // More than parity could mend. Trees are small, and lie in packs of their own.
      if (size > 2 ** 20) await fs.writeFile(pack, randomBytes(size / 2), { flag: 'r+' });
    }
    const { code, proof } = await prove();
    expect(code).toBe(6);
    expect(proof).toMatchObject({ verdict: 'fail' });
    const bad = proof.checks.filter(({ verdict }) => verdict !== 'pass');
    expect(bad).toMatchObject([{ name: 'files of uploads', verdict: 'fail' }]);
    expect(bad[0]?.what).toContain("two.bin can't be read (EIO)");
  });

  test('says which check failed, or that it could not be seen', async () => {
    const file = path.join(site.folder, 'holdfast.yaml');
    const declared = await fs.readFile(file, 'utf8');
    await fs.rm(path.join(site.uploads, 'two.bin'));
    await site.captureFiles();
    const more = `  empty: {sql: numbers, query: "select 1 from numbers", expect: empty}
  elsewhere: {sql: numbers, query: "select 1 from nowhere", expect: empty}
`;
    await fs.writeFile(file, declared + more);
    const { code, output } = await runHoldfast(place, ['prove', 'latest', '--target', root]);
    expect(code).toBe(6);
    expect(output).toContain('✓ dense');
    expect(output).toContain('✗ empty');
    expect(output).toContain('? elsewhere');
    expect(output).toContain('Not proven: "empty" failed');
  });

  test('what can not be asked for is no proof', async () => {
    const { code, errors } = await runHoldfast(place, ['prove', '2039-01-01', '--target', root]);
    expect({ code, errors }).toMatchObject({ code: 2, errors: expect.stringContaining('future') });
    expect(await fs.readdir(root)).toEqual([]);
  });
});
