import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProductionPlace, TableRequest, TablesResult } from '../../parts.ts';
import { stopCopy } from '../recover/life.ts';
import { recoverPostgres } from '../recover/recover.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import { captureTo, contextIn, storeAt } from '../testing.ts';
import { takeTables } from './take.ts';
import { undoMerge } from './undo.ts';

const INSTANT_MS = Date.UTC(2026, 10, 21, 19, 30);

const SCHEMA = [
  "create type mood as enum ('calm', 'cross')",
  `create table customers (id int generated always as identity primary key, name text not null,
     mood mood default 'calm', moods mood[], loud text generated always as (upper(name)) stored,
     at timestamptz default now(), paid numeric(10,2), picture bytea, gone int)`,
  `insert into customers (name, moods, paid, picture) select 'c' || n, '{calm,cross}', n * 1.5, sha256(n::text::bytea)
     from generate_series(1, 1000) n`,
  // Each refers to the other at once, and neither constraint can be deferred.
  'create table teams (id serial primary key, head int not null)',
  'create table people (id int primary key, team int not null references teams)',
  `with t as (insert into teams values (7, 70)) insert into people values (70, 7)`,
  'alter table teams add constraint teams_head_fkey foreign key (head) references people',
  'create table orders (id bigint, month int, customer int references customers, primary key (id, month)) partition by list (month)',
  'create table orders_1 partition of orders for values in (1)',
  'create table orders_2 partition of orders for values in (2)',
  'insert into orders select n, 1 + n % 2, n from generate_series(1, 100) n',
  'create table keyless (a int)',
  'insert into keyless values (1), (1)',
  'create table "Old Name" (id int primary key)',
  "create type size as enum ('small', 'large')",
  'create table sized (id int primary key, size size)',
  "insert into sized values (1, 'large'), (2, 'small')",
  'create table changed (id int primary key, size text)',
  "insert into changed values (1, '12'), (2, 'wide')",
];

describe.each([15, 18] as const)('parts of a copy of Postgres %i', (major) => {
  let server: TestServer;
  let copy: { directory: string; scratch: string };

  const context = () => contextIn(server.folder);
  const place = () => ({ own: storeAt(server).own });
  const prepare = (request: Partial<TableRequest> & { tables: string[] }) =>
    takeTables(
      copy,
      place(),
      {
        instantMs: INSTANT_MS,
        into: 'existing',
        update: false,
        undo: true,
        ...request,
      } as TableRequest,
      context(),
    );
  const take = async (
    request: Partial<TableRequest> & { tables: string[] },
  ): Promise<TablesResult> => {
    const work = await prepare(request);
    try {
      return await work.apply();
    } finally {
      await work.close();
    }
  };
  const merge = (request: { tables: string[] } & Record<string, unknown>) =>
    take({ into: 'existing', ...request } as never);
  const digest = async (table: string) =>
    (
      await server.sql(
        `select md5(string_agg(t::text, ',' order by t::text)) as sum from ${table} t`,
      )
    )[0]?.sum;

  beforeAll(async () => {
    server = await startTestServer({ major });
    await server.sql(...SCHEMA);
    const directory = path.join(server.folder, 'restored');
    const scratch = path.join(server.folder, 'scratch');
    await fs.mkdir(scratch, { mode: 0o700 });
    await fs.chown(scratch, server.user.uid, server.user.gid);
    const { outcome } = await captureTo(directory, server, storeAt(server));
    copy = { directory, scratch };
    await recoverPostgres({ capture: outcome, ...copy, mode: 'beside' }, context());
  }, 120_000);
  afterAll(async () => {
    if (copy) await stopCopy(copy.directory, { stateFolder: copy.scratch });
    await server?.remove();
  });

  test('come as a table of their own, once', async () => {
    const request = { tables: ['customers'], into: 'new', where: 'id <= 10' } as const;
    const work = await prepare(request as never);
    expect(work.preview).toMatchObject([
      { table: 'customers', target: 'customers_20261121_193000', rows: 10, inserts: 10 },
    ]);
    expect(work.preview[0]?.first[0]?.values).toMatchObject({ id: '1', name: 'c1', loud: 'C1' });
    await work.close();
    expect(await server.sql("select to_regclass('customers_20261121_193000') as made")).toEqual([
      { made: null },
    ]);
    expect((await take(request as never)).tables[0]).toMatchObject({ inserted: 10 });
    expect(await server.sql('table customers_20261121_193000 order by id')).toEqual(
      await server.sql('select * from customers where id <= 10 order by id'),
    );
    expect((await take(request as never)).tables[0]).toMatchObject({ inserted: 0 });
    await expect(take({ ...request, where: 'id <= 11' } as never)).rejects.toMatchObject({
      code: 'postgres/name-taken',
    });
  });

  test('are merged: missing rows alone, or what differs too; twice is once; undone, all is as before', async () => {
    const before = await digest('customers');
    await server.sql(
      'delete from orders where customer in (3, 4)',
      'delete from customers where id in (3, 4)',
      "update customers set name = 'other', paid = null where id in (5, 6)",
      "select setval('customers_id_seq', 1)",
    );
    const damaged = await digest('customers');
    const inserted = await merge({ tables: ['customers', 'orders'] });
    expect(inserted.tables).toMatchObject([
      { inserted: 2, updated: 0 },
      { target: 'orders', inserted: 2 },
    ]);
    expect(await server.sql('select count(*)::int as n, max(id) as top from customers')).toEqual([
      { n: 1000, top: 1000 },
    ]);
    expect(await server.sql("select nextval('customers_id_seq')::int as next")).toEqual([
      { next: 5 },
    ]);
    const work = await prepare({ tables: ['customers'], into: 'existing', update: true } as never);
    expect(work.preview[0]).toMatchObject({ inserts: 0, updates: 2 });
    expect(work.preview[0]?.first[0]).toMatchObject({
      change: 'update',
      values: { id: '5' },
      becomes: { name: { now: 'other', was: 'c5' }, paid: { now: null, was: '7.50' } },
    });
    const updated = await work.apply();
    await work.close();
    expect(updated.tables).toMatchObject([{ inserted: 0, updated: 2 }]);
    expect(await digest('customers')).toBe(before);
    const again = await merge({ tables: ['customers', 'orders'], update: true });
    expect(again).toEqual({
      tables: [
        { table: 'customers', target: 'customers', inserted: 0, updated: 0 },
        { table: 'orders', target: 'orders', inserted: 0, updated: 0 },
      ],
    });
    await undoMerge(place(), String(updated.undo), undefined, context());
    expect(await undoMerge(place(), String(inserted.undo), undefined, context())).toMatchObject([
      { removed: 2, changedSince: 0 },
      { removed: 2 },
    ]);
    expect(await digest('customers')).toBe(damaged);
    await expect(
      undoMerge(place(), String(inserted.undo), undefined, context()),
    ).rejects.toMatchObject({ code: 'postgres/already-undone' });
  });

  test('that somebody changed since stay when a merge is undone', async () => {
    await server.sql('delete from customers where id in (901, 902)');
    const merged = await merge({ tables: ['customers'], where: 'id > 900' });
    await server.sql("update customers set name = 'newer' where id = 901");
    expect(await undoMerge(place(), String(merged.undo), undefined, context())).toMatchObject([
      { removed: 1, changedSince: 1 },
    ]);
    expect(await server.sql("select id from customers where name = 'newer'")).toEqual([
      { id: 901 },
    ]);
  });

  test('need a role that may write, which another address may name', async () => {
    await server.sql(
      "create role streamer login replication password 'only'",
      'delete from customers where id = 701',
    );
    const url = server.url('streamer', 'only');
    const request = { tables: ['customers'], instantMs: INSTANT_MS, where: 'id = 701' };
    const as = (production: ProductionPlace) =>
      takeTables(
        copy,
        production,
        { ...request, into: 'existing', update: false, undo: false },
        context(),
      );
    await expect(as({ own: { url } })).rejects.toMatchObject({
      code: 'postgres/write-not-allowed',
      guidance: expect.stringContaining('--production-url-file'),
    });
    await expect(as({ own: { url }, url: 'nonsense' })).rejects.toMatchObject({
      code: 'postgres/url-invalid',
    });
    const work = await as({ own: { url }, url: server.url() });
    expect(await work.apply()).toMatchObject({ tables: [{ inserted: 1 }] });
    await work.close();
  });

  test('broken off, nothing of them is there', async () => {
    await server.sql('delete from customers where id in (801, 802)');
    const stop = new AbortController();
    const request = {
      tables: ['customers'],
      instantMs: INSTANT_MS,
      where: 'id between 800 and 810',
    };
    const work = await takeTables(
      copy,
      place(),
      { ...request, into: 'existing', update: false, undo: true },
      contextIn(server.folder, stop.signal),
    );
    const applied = work.apply();
    stop.abort(new Error('no more'));
    await expect(applied).rejects.toThrow();
    await work.close();
    expect(await server.sql('select from customers where id in (801, 802)')).toEqual([]);
    expect((await merge({ ...request })).tables[0]?.inserted).toBe(2);
  });

  test('go in a circle of foreign keys in one go; alone they are refused whole, by the name of the constraint', async () => {
    await server.sql(
      'begin; alter table teams drop constraint teams_head_fkey; delete from people; delete from teams; alter table teams add constraint teams_head_fkey foreign key (head) references people; commit',
    );
    const alone = await prepare({ tables: ['people'] });
    expect(alone.preview[0]?.notes).toEqual([
      'will be refused as it stands: teams has no rows for team 7 (people_team_fkey); bring them, too: --table teams',
    ]);
    await alone.close();
    const both = await prepare({ tables: ['people', 'teams'] });
    expect(both.preview.flatMap(({ notes }) => notes)).toEqual([]);
    await both.close();
    await expect(merge({ tables: ['people'] })).rejects.toMatchObject({
      code: 'postgres/reference-missing',
      message: expect.stringContaining('people_team_fkey'),
      guidance: expect.stringContaining('--table people --table teams'),
    });
    expect((await merge({ tables: ['people', 'teams'] })).tables).toMatchObject([
      { inserted: 1 },
      { inserted: 1 },
    ]);
    expect(await server.sql("select nextval('teams_id_seq')::int as next")).toEqual([{ next: 8 }]);
  });

  test('find columns by name, and say before anything is written what does not fit', async () => {
    await server.sql(
      'alter table "Old Name" rename to renamed',
      'alter table customers drop column gone',
      "alter table customers add column since date default '2026-01-01'",
      'delete from orders where customer = 9',
      'delete from customers where id = 9',
      'delete from changed',
      'alter table changed alter size type int using size::int',
      'delete from sized',
      'alter type size rename to size_before',
      "create type size as enum ('small')",
      'alter table sized alter size type size using null',
    );
    const work = await prepare({ tables: ['customers'] });
    expect(work.preview[0]?.notes.join('; ')).toMatch(/no such column: gone; .*default: since/);
    await work.apply();
    await work.close();
    expect(await server.sql('select since::text from customers where id = 9')).toEqual([
      { since: '2026-01-01' },
    ]);
    await expect(merge({ tables: ['changed'] })).rejects.toMatchObject({
      code: 'postgres/type-does-not-fit',
      message: expect.stringContaining('size'),
    });
    expect((await merge({ tables: ['changed'], where: 'id = 1' })).tables[0]?.inserted).toBe(1);
    expect(await server.sql('table changed')).toEqual([{ id: 1, size: 12 }]);
    await expect(merge({ tables: ['sized'] })).rejects.toMatchObject({
      code: 'postgres/type-does-not-fit',
    });
    expect((await merge({ tables: ['sized'], where: 'id = 2' })).tables[0]?.inserted).toBe(1);
    await expect(merge({ tables: ['"Old Name"'] })).rejects.toMatchObject({
      code: 'postgres/table-gone',
      guidance: expect.stringContaining('--as renamed'),
    });
    await expect(merge({ tables: ['custmers'] })).rejects.toMatchObject({
      code: 'postgres/table-unknown',
      guidance: expect.stringContaining('"customers"'),
    });
    await expect(merge({ tables: ['keyless'] })).rejects.toMatchObject({
      code: 'postgres/key-missing',
    });
    await expect(
      merge({ tables: ['customers'], where: 'true); delete from customers; select (1' }),
    ).rejects.toMatchObject({ code: 'postgres/condition-invalid' });
    await expect(merge({ tables: ['customers'], where: 'nmae = 1' })).rejects.toMatchObject({
      code: 'postgres/condition-invalid',
    });
  });
});
