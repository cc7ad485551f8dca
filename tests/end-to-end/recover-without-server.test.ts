/** The keystone: repository and password are enough. No catalog, no server, no spool; production is gone. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectCode } from './command-line.ts';
import { addressOf } from './site/address.ts';
import { askDatabase } from './site/ask-database.ts';
import { holdfast, openProtectedSite, type ProtectedSite, waitFor } from './site/protected-site.ts';

type Report = {
  id: string;
  status: string;
  folder: string;
  stores: {
    store: string;
    url: string;
    urlFile?: string;
    directory: string;
    leftBehind?: string;
  }[];
  checks: { name: string; verdict: string }[];
};

let site: ProtectedSite;
let instantMs: number;
let lsn: string;

const options = () => [
  '--target',
  path.join(site.folder, 'recoveries'),
  '-f',
  path.join(site.folder, 'holdfast.yaml'),
];
const run = (...words: string[]) =>
  holdfast(site.folder, [...words, ...options()], site.environment);
const storeOf = (report: Report, name: string) => report.stores.find(({ store }) => store === name);

beforeAll(async () => {
  site = await openProtectedSite(18);
  await site.server.sql('insert into numbers select generate_series(1, 1000)');
  await fs.writeFile(path.join(site.uploads, 'first.bin'), 'kept');
  await site.captureFiles();
  await site.server.sql('insert into numbers select generate_series(1001, 1500)');
  const [row] = await site.server.sql('select extract(epoch from clock_timestamp()) * 1000 as at');
  instantMs = Math.ceil(Number(row?.at));
  await waitFor(async () => Date.now() > instantMs, 'the clock to leave the instant');
  const [here] = await site.server.sql(
    "select pg_create_restore_point('before-clean-up')",
    'select pg_current_wal_insert_lsn()::text as lsn',
  );
  lsn = String(here?.lsn);
  await site.server.sql('delete from numbers', 'insert into numbers select generate_series(1, 3)');
  await fs.writeFile(path.join(site.uploads, 'second.bin'), 'late');
  await site.captureFiles();
  await site.shipped();
  await site.leave();
  await site.server.stop('immediate');
  await fs.rm(path.join(site.folder, 'state'), { recursive: true });
}, 180_000);

afterAll(() => site.remove());

describe('with repository and password alone', () => {
  let report: Report;

  test('a dry run shows what it would do and starts nothing', async () => {
    const shown = await run('recover', '--to', new Date(instantMs).toISOString(), '--dry-run');
    expect(shown.stderr).toBe('');
    expectCode(shown, 0);
    expect(shown.json).toMatchObject({ status: 'planned' });
    expect(storeOf(shown.json as Report, 'numbers')?.leftBehind).toBe('2 commits');
    await expect(fs.access(path.join(site.folder, 'recoveries'))).rejects.toThrow('ENOENT');
  });

  test('a place in the journal is as good as an instant', async () => {
    for (const to of [lsn, 'restore point before-clean-up']) {
      const shown = await run('recover', '--to', to, '--dry-run');
      expect(shown.code, shown.stderr).toBe(0);
      expect(storeOf(shown.json as Report, 'numbers')?.leftBehind, to).toBe('2 commits');
    }
    const unknown = await run('recover', '--to', 'latest', '--timeline', '7', '--dry-run');
    expectCode(unknown, 5);
    expect(unknown.stderr + JSON.stringify(unknown.json)).toContain('timeline 7');
  });

  test('a skew beyond the limit must be accepted by the name of its store', async () => {
    const file = path.join(site.folder, 'holdfast.yaml');
    const declared = await fs.readFile(file, 'utf8');
    await fs.writeFile(file, declared.replace('skew: 1h', 'skew: 1ms'));
    try {
      const refused = await run('recover', '--to', new Date(instantMs).toISOString());
      expectCode(refused, 4);
      expect(refused.stderr + JSON.stringify(refused.json)).toContain('uploads');
    } finally {
      await fs.writeFile(file, declared);
    }
  });

  test('the environment comes back as it was at the instant', async () => {
    const recovered = await run('recover', '--to', new Date(instantMs).toISOString());
    expect(recovered.stderr).toBe('');
    report = recovered.json as Report;
    expect(report.checks).toMatchObject([{ name: 'dense', verdict: 'pass' }]);
    expectCode(recovered, 0);
    const rows = await askDatabase(
      await addressOf(storeOf(report, 'numbers')),
      'select count(*)::int as n from numbers',
    );
    expect(rows).toEqual([{ n: 1500 }]);
    expect(await fs.readdir(storeOf(report, 'uploads')?.directory ?? '')).toEqual(['first.bin']);
  });

  test('the copy takes writes and is listed', async () => {
    await askDatabase(
      await addressOf(storeOf(report, 'numbers')),
      'insert into numbers values (1501)',
    );
    const listed = await run('recovery', 'list');
    expect(listed.json).toMatchObject({ recoveries: [{ id: report.id, status: 'ready' }] });
  });

  test('passwords are shown where they are asked for, and nowhere else', async () => {
    const { password } = site.server;
    const listed = await run('recovery', 'list');
    expect(JSON.stringify([report, listed.json])).not.toContain(password);
    expect(storeOf(report, 'numbers')?.url).toContain(':***@127.0.0.1:');
    const { urlFile = '' } = storeOf(report, 'numbers') ?? {};
    expect((await fs.stat(urlFile)).mode & 0o777).toBe(0o600);
    const opened = await run('recovery', 'open', report.id);
    expect(storeOf(opened.json as Report, 'numbers')?.url).toBe(
      await addressOf(storeOf(report, 'numbers')),
    );
    expect(await addressOf(storeOf(report, 'numbers'))).toContain(password);
  });

  test('the end of the journal comes back too', async () => {
    const recovered = await run('recover', '--to', 'latest', '--store', 'numbers');
    expect(recovered.code, recovered.stderr).toBe(0);
    const latest = recovered.json as Report;
    const rows = await askDatabase(
      await addressOf(storeOf(latest, 'numbers')),
      'select n from numbers order by n',
    );
    expect(rows).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expectCode(await run('recovery', 'remove', latest.id, '--yes'), 0);
    await expect(fs.access(latest.folder)).rejects.toThrow('ENOENT');
  });

  test('a copy of the repository, with a password of its own, is enough too', async () => {
    const copied = path.join(site.folder, 'copied');
    const password = path.join(site.folder, 'copied.password');
    await fs.writeFile(password, 'of the copy');
    const other = ['--repo', copied, '--password-file', password];
    const environment = {
      ...site.environment,
      HOLDFAST_FROM_REPOSITORY: site.repository.location,
      HOLDFAST_FROM_PASSWORD: site.environment.SITE_PASSWORD as string,
    };
    expectCode(await holdfast(site.folder, ['repo', 'init', ...other], environment), 0);
    const made = await holdfast(site.folder, ['repo', 'copy', ...other], environment);
    expect(made.code, made.stderr).toBe(0);
    const recovered = await run(
      'recover',
      ...['--to', new Date(instantMs).toISOString(), '--store', 'numbers'],
      ...['--repo', copied, '--password-file', password],
    );
    expect(recovered.code, recovered.stderr).toBe(0);
    const fromCopy = recovered.json as Report;
    const rows = await askDatabase(
      await addressOf(storeOf(fromCopy, 'numbers')),
      'select count(*)::int as n from numbers',
    );
    expect(rows).toEqual([{ n: 1500 }]);
    expectCode(await run('recovery', 'remove', fromCopy.id, '--yes'), 0);
  });

  test("it takes production's place, and gives it back", async () => {
    const promoted = await run('recovery', 'promote', report.id, '--yes');
    expect(promoted.code, promoted.stderr).toBe(0);
    await site.server.start();
    expect(await site.server.sql('select count(*)::int as n from numbers')).toEqual([{ n: 1501 }]);
    expect(await fs.readdir(site.uploads)).toEqual(['first.bin']);
    await site.server.stop();
    expectCode(await run('recovery', 'undo', report.id, '--yes'), 0);
    await site.server.start();
    expect(await site.server.sql('select count(*)::int as n from numbers')).toEqual([{ n: 3 }]);
    expect(await fs.readdir(site.uploads)).toEqual(['first.bin', 'second.bin']);
    await site.server.stop();
  });

  test('instants that cannot be had are refused with their reason', async () => {
    const future = await run('recover', '--to', '2199-01-01T00:00:00Z');
    expect(future).toMatchObject({
      code: 2,
      json: { error: { code: 'recovery/instant-in-future' } },
    });
    const before = await run('recover', '--to', '2001-01-01T00:00:00Z');
    expect(before).toMatchObject({ code: 5, json: { error: { code: 'recovery/before-window' } } });
    const mark = await run('recover', '--to', 'before deploy 4f2c1e');
    expect(mark).toMatchObject({ code: 5, json: { error: { code: 'recovery/no-such-mark' } } });
    const words = await run('recover', '--to', 'the day before');
    expect(words).toMatchObject({ code: 2, json: { error: { code: 'cli/unparsable-when' } } });
  });
});
