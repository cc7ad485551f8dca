import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runAs } from '../recover/os-user.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import { captureTo, storeAt } from '../testing.ts';

const execute = promisify(execFile);

describe.each([15, 18] as const)('base backup of Postgres %i', (major) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ major });
    const space = path.join(server.folder, 'space');
    await fs.mkdir(space);
    await fs.chown(space, server.user.uid, server.user.gid);
    await server.sql(
      `create tablespace fast location '${space}'`,
      'create table orders as select g as id, md5(g::text) as note from generate_series(1, 100000) g',
      'create table items tablespace fast as select g as id from generate_series(1, 1000) g',
      'checkpoint',
    );
  });
  afterAll(() => server.remove());

  test('is what its manifest says, and whole', async () => {
    const target = path.join(server.folder, 'copy');
    const { outcome, problems, paths } = await captureTo(target, server, storeAt(server));
    expect(problems).toEqual([]);
    expect(outcome.end.offset).toBeGreaterThan(outcome.start.offset);
    expect(outcome.clock.uncertaintyMs).toBeLessThan(1000);
    expect(outcome.facts).toMatchObject({ majorVersion: major, walSegmentSizeBytes: 2 ** 24 });
    expect(new Set(paths).size).toBe(paths.length);
    for (const each of paths) {
      if (each !== '') expect(paths).toContain(path.dirname(each).replace(/^\.$/, ''));
    }
    if (major === 15) {
      // Postgres' own judge of a backup.
      const { stdout } = await execute(
        path.join(server.binaries, 'pg_verifybackup'),
        ['--exit-on-error', target],
        { ...runAs(server.user), cwd: '/' },
      );
      expect(stdout).toContain('backup successfully verified');
    }
  });

  test('names a page that is damaged on production', async () => {
    const [row] = await server.sql("select pg_relation_filepath('orders') as file");
    const file = path.join(server.dataDirectory, String(row?.file));
    const handle = await fs.open(file, 'r+');
    const flipped = Buffer.alloc(1);
    await handle.read(flipped, 0, 1, 3 * 8192 + 5000);
    flipped[0] = (flipped[0] as number) ^ 1;
    await handle.write(flipped, 0, 1, 3 * 8192 + 5000);
    try {
      const { problems } = await captureTo(
        path.join(server.folder, 'damaged'),
        server,
        storeAt(server),
      );
      expect(problems).toEqual([
        expect.stringContaining(`${row?.file}: page checksum wrong in block 3`),
      ]);
      const unchecked = storeAt(server, { verifyPages: false });
      const again = await captureTo(path.join(server.folder, 'unchecked'), server, unchecked);
      expect(again.problems).toEqual([]);
    } finally {
      flipped[0] = (flipped[0] as number) ^ 1;
      await handle.write(flipped, 0, 1, 3 * 8192 + 5000);
      await handle.close();
    }
  });
});
