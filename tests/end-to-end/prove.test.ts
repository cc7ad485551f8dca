/** Proofs by the command line alone: repository and password are enough, and nothing is left of the copy. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mountsIn, type Place, processesIn, runHoldfast } from './site/command.ts';
import { openProtectedSite, type ProtectedSite } from './site/protected-site.ts';

let site: ProtectedSite;
let place: Place;
let root: string;

const prove = (...words: string[]) => runHoldfast(place, ['prove', ...words, '--target', root]);

describe.runIf(process.getuid?.() === 0)('a proof without a server', { timeout: 240_000 }, () => {
  beforeAll(async () => {
    site = await openProtectedSite(15);
    await site.server.sql('insert into numbers select generate_series(1, 100000)');
    await fs.writeFile(path.join(site.uploads, 'one.bin'), Buffer.alloc(2 ** 20, 7));
    await site.captureFiles();
    await site.shipped();
    await site.leave();
    root = path.join(site.folder, 'proofs');
    place = {
      cwd: site.folder,
      env: { ...site.environment, HOLDFAST_STATE: path.join(site.folder, 'none') },
    };
  }, 120_000);
  afterAll(() => site?.remove());

  test('brings the instant up, looks at it, and leaves nothing but its record', async () => {
    const { code, output, errors } = await prove('--json');
    expect(code, errors + output).toBe(0);
    expect(await fs.readdir(root)).toEqual([]);
    expect(await mountsIn(root)).toEqual([]);
    expect(await processesIn(root)).toEqual([]);
  });
});
