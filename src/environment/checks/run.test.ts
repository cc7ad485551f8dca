import fs from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '#base';
import { startTestServer, type TestServer } from '../../sources/postgres/test-server.ts';
import type { CopyBindings } from '../bindings.ts';
import type { Check, Environment } from '../model.ts';
import { runChecks } from './run.ts';
import { fulfils } from './sql.ts';

let folder: string;
let server: TestServer;
let web: http.Server;
let bindings: CopyBindings;

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-checks-'));
  server = await startTestServer({ major: 15 });
  await server.sql(
    'create table items (id int, upload_key text)',
    "insert into items select i, 'a/' || i || '.jpg' from generate_series(1, 2500) i",
    'insert into items values (0, null)',
    'create schema "Odd one"',
    'create table "Odd one".keys ("the key" text)',
    `insert into "Odd one".keys values ('../secret'), ('/etc/passwd'), (''), ('away/passwd'), ('a'), ('a/1.jpg'), ('a/1.jpg/x')`,
  );
  const uploads = path.join(folder, 'uploads');
  await fs.mkdir(path.join(uploads, 'a'), { recursive: true });
  await fs.writeFile(path.join(folder, 'secret'), '');
  await fs.symlink('/etc', path.join(uploads, 'away'));
  for (let index = 1; index <= 2500; index += 1) {
    await fs.writeFile(path.join(uploads, 'a', `${index}.jpg`), '');
  }
  web = http.createServer((request, response) => {
    response.statusCode = request.url === '/healthz' ? 200 : 404;
    response.end('x');
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  const { port } = web.address() as AddressInfo;
  bindings = {
    stores: {
      orders: { url: server.url() },
      down: { url: 'postgresql://u:hush@127.0.0.1:1/x' },
      uploads: { url: uploads },
    },
    services: { api: { url: `http://127.0.0.1:${port}` } },
    scratch: folder,
    muted: true,
  };
}, 120_000);

afterAll(async () => {
  web?.close();
  await server?.remove();
  await fs.rm(folder, { recursive: true, force: true });
});

/** Without the name, of each kind by itself. */
type Unnamed = Check extends infer One ? (One extends Check ? Omit<One, 'name'> : never) : never;

async function see(check: Unnamed, timeoutMs = 20_000) {
  const environment: Environment = {
    file: path.join(folder, 'holdfast.yaml'),
    folder,
    texts: [],
    name: 'shop',
    stage: 'production',
    owners: {},
    imports: [],
    repository: {
      url: '/repository',
      password: new Secret('p'),
      check: { everyMs: 1, periodMs: 1 },
      prune: { everyMs: 1 },
    },
    objectives: { rpoMs: 1, rtoMs: 1, proofMs: 1 },
    consistency: { skewMs: 1 },
    recovery: { hydrate: 'asked', hydrationBytesPerSecond: 1, mounting: 'asked' },
    stores: [],
    services: [],
    checks: [{ name: 'it', ...check } as Check],
  };
  const [result] = await runChecks(environment, bindings, {
    timeoutMs,
    variables: { PATH: process.env.PATH, HOLDFAST_PASSWORD: 'never', ORDERS_URL: 'never' },
  });
  return `${result?.verdict}: ${result?.what}`;
}

describe('sql', () => {
  const sql = (query: string, expected = 'empty', store = 'orders') =>
    see({ kind: 'sql', store, query, expect: expected });

  test('passes and fails by rows and by values', async () => {
    expect(await sql('select 1 where false')).toBe('pass: no rows');
    expect(await sql('select * from items where id < 3')).toBe('fail: 3 rows, expected none');
    expect(await sql('select * from items')).toBe('fail: over 1,000 rows, expected none');
    expect(await sql('select count(*) from items', '2501')).toBe('pass: 2501');
    expect(await sql('select count(*) from items', '>3000')).toBe('fail: 2501, expected >3000');
  });

  test('is unknown, not passed, where nothing could be seen', async () => {
    expect(await sql('select null', '1')).toBe('unknown: no value, expected 1');
    expect(await sql('select 1 where false', '1')).toBe('unknown: no value, expected 1');
    expect(await sql('select * from nope')).toBe('unknown: relation "nope" does not exist');
    expect(await sql('select 1', '1', 'billing')).toBe('unknown: billing was not recovered');
    const down = await sql('select 1', '1', 'down');
    expect(down).toContain('unknown: ');
    expect(down).not.toContain('hush');
  });

  test('changes nothing, whatever the query tries', async () => {
    expect(await sql('delete from items returning 1')).toMatch(/^unknown: /);
    expect(await sql('select 1; commit; drop table items')).toMatch(/^unknown: /);
    expect(await sql("select nextval('s')")).toMatch(/^unknown: /);
    expect(await sql('select count(*) from items', '2501')).toBe('pass: 2501');
  });

  test('ends when its time is up', async () => {
    const slow: Unnamed = {
      kind: 'sql',
      store: 'orders',
      query: 'select pg_sleep(1000)',
      expect: 'empty',
    };
    expect(await see(slow, 300)).toBe('unknown: canceling statement due to statement timeout');
  });

  test('compares as a person means it', () => {
    expect(fulfils('3.5', '>3')).toBe(true);
    expect(fulfils('10', '>9')).toBe(true);
    expect(fulfils('10', '= 10.0')).toBe(true);
    expect(fulfils('', '>=0')).toBe(false);
    expect(fulfils('abc', '<5')).toBe(false);
    expect(fulfils('abc', '!=abd')).toBe(true);
    expect(fulfils('yes', 'yes')).toBe(true);
  });
});

describe('keys', () => {
  const keys = (table: string, column: string, folderStore = 'uploads') =>
    see({ kind: 'keys', store: 'orders', table, column, in: folderStore });

  test('passes where each value is a file', async () => {
    expect(await keys('items', 'upload_key')).toBe('pass: 2,500 keys, all there');
  });

  test('names what is missing, and never looks outside of the folder', async () => {
    expect(await keys('Odd one.keys', 'the key')).toMatch(/^fail: 6 of 7 missing: .*, …$/);
  });

  test('is unknown where the table or the folder is not there', async () => {
    expect(await keys('nope', 'x')).toBe('unknown: relation "nope" does not exist');
    expect(await keys('items', 'upload_key', 'media')).toBe('unknown: media was not recovered');
  });
});

test('http compares the status', async () => {
  const ask = (service: string, at: string) =>
    see({ kind: 'http', service, path: at, expect: 200 });
  expect(await ask('api', '/healthz')).toBe('pass: 200');
  expect(await ask('api', '/else')).toBe('fail: 404, expected 200');
  expect(await ask('web', '/')).toBe('unknown: web was not started');
});

test('command passes by its exit, sees the copy and nothing of production', async () => {
  const run = (command: string, timeoutMs?: number) => see({ kind: 'command', command }, timeoutMs);
  expect(await run('test -d "$HOLDFAST_STORE_UPLOADS/a" && test -n "$HOLDFAST_SERVICE_API"')).toBe(
    'pass: exit 0',
  );
  expect(await run('test -z "$HOLDFAST_PASSWORD$ORDERS_URL"')).toBe('pass: exit 0');
  expect(await run('echo orders are gone; exit 4')).toBe(
    'fail: ended with exit 4: orders are gone',
  );
  expect(await run('echo "$HOLDFAST_STORE_ORDERS"; exit 1')).toBe(
    'fail: ended with exit 1: [secret]',
  );
  expect(await run('no-such-command-anywhere')).toMatch(/^unknown: ended with exit 127/);
  expect(await run('sleep 1000', 300)).toMatch(/^unknown: did not end within/);
});
