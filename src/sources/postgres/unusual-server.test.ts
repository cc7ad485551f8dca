/** A server that has much of what plan warns of: told, protected all the same, and recovered. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectSql, parseConnectionUrl } from './connection/index.ts';
import { inspectPostgres } from './inspect/inspect.ts';
import { stopCopy } from './recover/life.ts';
import { serverUser } from './recover/os-user.ts';
import { recoverPostgres } from './recover/recover.ts';
import { startTestServer, type TestServer } from './test-server.ts';
import { captureTo, contextIn, storeAt } from './testing.ts';
import { testJournal } from './wal/test-journal.ts';

let outside: string;
let server: TestServer;

beforeAll(async () => {
  outside = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-unusual-'));
  const { uid, gid } = await serverUser(undefined, outside);
  await fs.chown(outside, uid, gid);
  server = await startTestServer({
    major: 18,
    initdbArguments: ['--no-data-checksums', `--waldir=${outside}/wal`],
    settings: {
      full_page_writes: 'off',
      max_replication_slots: '1',
      password_encryption: 'md5',
      // An archive that takes nothing: who waited for it would wait for ever.
      archive_mode: 'on',
      archive_command: 'false',
    },
    // SCRAM, as the default entries have it, takes no password that is stored in the older way.
    hostEntries: ['host all old 127.0.0.1/32 md5'],
  });
  await fs.mkdir(path.join(outside, 'space'));
  await fs.chown(path.join(outside, 'space'), uid, gid);
  await server.sql(
    `create tablespace fast location '${outside}/space'`,
    'create unlogged table scratchpad as select generate_series(1, 10) as n',
    'create table orders tablespace fast as select generate_series(1, 10) as n',
    "create role old login password 'as of old'",
    'grant select on orders to old',
    'create role rds_superuser',
    "select pg_create_physical_replication_slot('of_others')",
  );
});
afterAll(async () => {
  await server?.remove();
  await fs.rm(outside, { recursive: true, force: true });
});

test('plan tells all of it', async () => {
  const { findings } = await inspectPostgres(storeAt(server), contextIn(server.folder));
  const told = findings.map(({ severity, code }) => `${severity} ${code}`);
  expect(told).toEqual(
    expect.arrayContaining([
      'refuse managed-postgres',
      'refuse no-free-slot',
      'warn checksums-off',
      'warn full-page-writes-off',
      'warn unlogged-tables',
      'note tablespaces',
      'note wal-elsewhere',
      'note copy-needs',
    ]),
  );
  const managed = findings.find(({ code }) => code === 'managed-postgres');
  expect(managed?.what).toContain('Amazon RDS');
});

test('without a free slot the stream says what to do', async () => {
  const journal = await testJournal(server.url());
  try {
    await expect(journal.run().stopped).rejects.toMatchObject({
      code: 'postgres/no-free-slot',
      guidance: expect.stringContaining('max_replication_slots'),
    });
  } finally {
    await journal.close();
  }
});

test('a base is taken without a slot, and comes back within its own folder', async () => {
  const directory = path.join(server.folder, 'copy');
  const scratch = path.join(server.folder, 'scratch');
  await fs.mkdir(scratch, { mode: 0o700 });
  const { outcome, problems } = await captureTo(directory, server, storeAt(server));
  expect(problems).toEqual([]);
  const owner = process.getuid?.() === 0 ? 'nobody' : undefined;
  const copy = await recoverPostgres(
    { capture: outcome, directory, scratch, mode: 'beside', ...(owner ? { owner } : {}) },
    contextIn(scratch),
  );
  try {
    const ask = async (url: string, text: string) => {
      const sql = await connectSql(parseConnectionUrl(url));
      const rows = await sql.query(text);
      await sql.close();
      return rows;
    };
    expect(
      await ask(String(copy.facts.socketUrl), 'select count(*)::int as n from scratchpad'),
    ).toEqual([{ n: 0 }]);
    // The password of before, which is stored as MD5.
    const url = new URL(copy.url);
    url.username = 'old';
    url.password = 'as of old';
    const asOld = await ask(url.href, 'select count(*)::int as n from orders');
    expect(asOld).toEqual([{ n: 10 }]);
    url.password = 'another';
    await expect(ask(url.href, 'select 1')).rejects.toMatchObject({
      code: 'postgres/wrong-password',
    });
    expect((await fs.lstat(path.join(directory, 'pg_wal'))).isDirectory()).toBe(true);
    if (owner) expect(copy.facts.owner).toBe(owner);
    const { uid } = await fs.stat(path.join(directory, 'PG_VERSION'));
    expect(uid).toBe(owner ? 65_534 : process.getuid?.());
  } finally {
    await stopCopy(directory);
  }
});
