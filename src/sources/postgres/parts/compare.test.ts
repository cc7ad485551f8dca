import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CopyPlace, TableDifference } from '../../parts.ts';
import { connectSql, parseConnectionUrl } from '../connection/index.ts';
import { startCopy, stopCopy } from '../recover/life.ts';
import { recoverPostgres } from '../recover/recover.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import { captureTo, contextIn, storeAt } from '../testing.ts';
import { compareCopies } from './compare.ts';
import { holdsInCopy } from './holds.ts';

const SCHEMA = [
  'create table keyed (id int primary key, v text)',
  "insert into keyed select n, 'v' || n from generate_series(1, 100) n",
  'create table keyless (a int)',
  'insert into keyless values (1), (1), (2)',
  'create table quiet (id int primary key, long text)',
  'insert into quiet select n, repeat(md5(n::text), 500) from generate_series(1, 20) n',
  'create table parted (id int primary key) partition by range (id)',
  'create table parted_1 partition of parted for values from (0) to (10)',
  'insert into parted values (1)',
  'create table dropped (id int)',
  'create table renamed (id int primary key)',
];

let server: TestServer;
const places: CopyPlace[] = [];
const [before, after] = [0, 1].map((at) => () => places[at] as CopyPlace) as [
  () => CopyPlace,
  () => CopyPlace,
];
let begunMs = 0;
let changes: (...statements: string[]) => Promise<void>;

const compare = async (sameBase: boolean, tables?: string[]) => {
  const found: Record<string, TableDifference> = {};
  const request = {
    before: before(),
    after: after(),
    ...(sameBase && { sameBaseUntilMs: begunMs }),
    ...(tables && { tables }),
  };
  for await (const one of compareCopies(request, contextIn(server.folder))) found[one.table] = one;
  return found;
};

/** As a restored or mounted base has them: of the capture. */
async function setTimes(folder: string): Promise<void> {
  for (const entry of await fs.readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) await fs.utimes(path.join(entry.parentPath, entry.name), 1e9, 1e9);
  }
}

beforeAll(async () => {
  server = await startTestServer({ major: 15, settings: { autovacuum: 'off' } });
  await server.sql(...SCHEMA);
  const first = path.join(server.folder, 'first');
  const { outcome } = await captureTo(first, server, storeAt(server));
  const second = path.join(server.folder, 'second');
  await fs.cp(first, second, { recursive: true });
  for (const folder of [first, second]) await setTimes(folder);
  begunMs = Date.now();
  let urlOfSecond = '';
  for (const directory of [first, second]) {
    const scratch = `${directory}-scratch`;
    await fs.mkdir(scratch, { mode: 0o700 });
    await fs.chown(scratch, server.user.uid, server.user.gid);
    await fs.chown(directory, server.user.uid, server.user.gid);
    const { facts } = await recoverPostgres(
      { capture: outcome, directory, scratch, mode: 'beside' },
      contextIn(server.folder),
    );
    places.push({ directory, scratch });
    urlOfSecond = String(facts.socketUrl);
  }
  changes = async (...statements) => {
    const copy = await connectSql(parseConnectionUrl(urlOfSecond));
    for (const statement of statements) await copy.query(statement);
    await copy.close();
  };
}, 120_000);
afterAll(async () => {
  for (const { directory, scratch } of places) await stopCopy(directory, { stateFolder: scratch });
  await server?.remove();
});

test('what nobody wrote to needs no reading, and differs in nothing', async () => {
  const found = await compare(true);
  expect(Object.values(found).map(({ change, byFiles }) => [change, byFiles])).toEqual(
    Array.from({ length: 6 }, () => ['same', true]),
  );
});

test('rows are told by key or as a whole, and changes of the definition by name', async () => {
  await changes(
    "update keyed set v = 'new' where id <= 3",
    'delete from keyed where id > 98',
    "insert into keyed values (200, 'x')",
    'insert into keyless values (1), (3)',
    'delete from keyless where a = 2',
    'insert into parted values (2)',
    'drop table dropped',
    'alter table renamed rename to "Other"',
    'create table added (id int)',
    'insert into added values (1)',
    "alter table keyed add column note text default 'n'",
  );
  const found = await compare(true);
  expect(found.keyed).toMatchObject({ inserted: 1, updated: 3, deleted: 2, byRow: false });
  expect(found.keyed?.schema).toEqual(["+ column note text default 'n'::text"]);
  expect(found.keyless).toMatchObject({ inserted: 2, updated: 0, deleted: 1, byRow: true });
  expect(found.parted).toMatchObject({ inserted: 1, updated: 0, deleted: 0 });
  expect(found.quiet).toMatchObject({ change: 'same', byFiles: true });
  expect(found.dropped?.change).toBe('removed');
  expect(found.added).toMatchObject({ change: 'added', inserted: 1 });
  expect(found.Other).toMatchObject({ change: 'changed', schema: ['renamed from renamed'] });
  const byRows = await compare(false, ['quiet', 'keyed']);
  expect(Object.keys(byRows)).toEqual(['keyed', 'quiet']);
  expect(byRows.quiet).toMatchObject({ change: 'same', byFiles: false });
  await expect(compare(true, ['keyd'])).rejects.toMatchObject({ code: 'postgres/table-unknown' });
});

test('rows of a transaction that was under way at the earlier instant are found, though the files are the same', async () => {
  // As the commit log would show it: the same bytes, decided in the one and not in the other.
  await changes('create table late (id int)');
  const first = before().directory;
  const log = path.join(first, 'pg_xact', '0000');
  await stopCopy(first);
  const bytes = await fs.readFile(log);
  const [row] = await server.sql('select xmin::text as id from quiet limit 1');
  const id = Number(row?.id);
  bytes[id >> 2] = (bytes[id >> 2] ?? 0) & ~(3 << (2 * (id & 3)));
  await fs.writeFile(log, bytes);
  await startCopy(
    { directory: first, scratch: before().scratch, port: undefined, survived: true },
    contextIn(server.folder),
  );
  const { quiet } = await compare(true, ['quiet']);
  expect(quiet?.byFiles).toBe(false);
});

test('a condition is one question that changes nothing', async () => {
  const holds = (sql: string) => holdsInCopy(after(), { sql }, contextIn(server.folder));
  expect(await holds('select count(*) = 99 from keyed;')).toBe(true);
  expect(await holds('select 1 from keyed where id = 1000')).toBe(false);
  expect(await holds('select id from keyed where id = 200')).toBe(true);
  expect(await holds('select null::int')).toBe(false);
  for (const bad of [
    'selct 1',
    'select 1) c; drop table keyed; select (1',
    'delete from keyed returning 1',
  ]) {
    await expect(holds(bad)).rejects.toMatchObject({ code: 'postgres/condition-invalid' });
  }
});
