/** Parts of stores, by the command line: rows and tables, files, what differs, until when a condition held. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectCode } from './command-line.ts';
import {
  askHoldfast,
  type Ended,
  eventually,
  mountsIn,
  type Place,
  processesIn,
  runHoldfast,
  startHoldfast,
} from './site/command.ts';
import { openProtectedSite, type ProtectedSite } from './site/protected-site.ts';

let site: ProtectedSite;
let place: Place;
let root: string;
/** All was well then; since then rows are gone or changed. */
let wellMs: number;
/** Rows were deleted between the two. */
const deletedMs: [number, number] = [0, 0];

const words = (...given: string[]) => [...given, '--target', root];
const holdfast = (...given: string[]): Promise<Ended> => runHoldfast(place, words(...given));
const ask = <T>(...given: string[]) => askHoldfast<T>(place, words(...given));
const iso = (ms: number) => new Date(ms).toISOString();
const production = (text: string) => site.server.sql(text);
const later = async () => {
  const at = Date.now();
  await eventually('the clock to go on', async () => (Date.now() > at + 50 ? true : undefined), 5);
};

async function expectNothingLeft(): Promise<void> {
  expect(await mountsIn(root)).toEqual([]);
  expect((await fs.readdir(root)).filter((name) => name.startsWith('passing-'))).toEqual([]);
}

describe.runIf(process.getuid?.() === 0)('parts of stores', { timeout: 240_000 }, () => {
  beforeAll(async () => {
    site = await openProtectedSite(15);
    root = path.join(site.folder, 'recoveries');
    await fs.mkdir(root);
    place = site.place;
    await fs.mkdir(path.join(site.uploads, 'invoices'));
    await fs.writeFile(path.join(site.uploads, 'invoices', 'one.txt'), 'first');
    await fs.writeFile(path.join(site.uploads, 'invoices', 'two.txt'), 'second');
    await site.captureFiles();
    await production('create table customers (id int primary key, name text)');
    await production("insert into customers select n, 'c' || n from generate_series(1, 1000) n");
    await later();
    wellMs = Date.now();
    await later();
    for (const id of [1, 2]) await production(`insert into numbers values (${id})`);
    deletedMs[0] = Date.now();
    await production('delete from customers where id <= 100');
    deletedMs[1] = Date.now();
    await production("update customers set name = 'wrong' where id = 500");
    await fs.writeFile(path.join(site.uploads, 'invoices', 'one.txt'), 'overwritten');
    await fs.rm(path.join(site.uploads, 'invoices', 'two.txt'));
    await site.captureFiles();
    await site.shipped();
    await site.leave();
  }, 120_000);
  afterAll(async () => {
    await eventually('the mount service to have ended by itself', async () =>
      (await processesIn(site.folder)).some((line) => line.includes('mount/service/main.ts'))
        ? undefined
        : true,
    );
    await site?.remove();
  });

  test('what differs is told by rows and files', async () => {
    const { code, output, errors } = await holdfast('diff', iso(wellMs), 'now', '--json');
    expect(code, errors).toBe(0);
    const found = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(found).toContainEqual(
      expect.objectContaining({ table: 'customers', inserted: 0, updated: 1, deleted: 100 }),
    );
    expect(found).toContainEqual(expect.objectContaining({ table: 'numbers', inserted: 2 }));
    expect(found).toContainEqual({
      kind: 'file',
      store: 'uploads',
      path: 'invoices/two.txt',
      change: 'removed',
    });
    expect(found).toContainEqual({
      kind: 'file',
      store: 'uploads',
      path: 'invoices/one.txt',
      change: 'changed',
    });
    await expectNothingLeft();
  });

  test('the last instant at which a condition held leads to the commit that broke it', async () => {
    const sql = 'select count(*) = 1000 from customers';
    const found = await ask<{ heldMs: number; failedMs: number; isExact: boolean; copies: number }>(
      ...['when', '--sql', sql, '--from', iso(wellMs), '--precision', '1ms'],
    );
    expect(found).toMatchObject({ isExact: true });
    expect(found.failedMs - found.heldMs).toBeLessThanOrEqual(2);
    expect(found.heldMs).toBeLessThan(deletedMs[1]);
    expect(found.failedMs).toBeGreaterThanOrEqual(deletedMs[0]);
    await expectNothingLeft();
  });

  test('a command is asked of each copy, of whatever store', async () => {
    const command = 'test -e "$HOLDFAST_STORE_UPLOADS/invoices/two.txt"';
    const asked = ['when', '--store', 'uploads', '--command', command, '--from', iso(wellMs)];
    const found = await ask<{ heldMs: number; failedMs: number; copies: number }>(...asked);
    expect(found).toMatchObject({ command, copies: 2 });
    expect(found.failedMs).toBeGreaterThan(deletedMs[1]);
    const unknown = await holdfast(...asked.with(4, 'no-such-program'));
    expectCode(unknown, 1);
    expect(unknown.errors).toContain('could not be asked');
    await expectNothingLeft();
  });

  test('rows come back by a merge that can be taken back, and only when somebody agreed', async () => {
    const asked = ['recover', '--to', iso(wellMs), '--table', 'customers', '--merge', '--update'];
    // Without a terminal nobody has agreed, whatever was shown.
    const shown = await holdfast(...asked);
    expectCode(shown, 4);
    expect(shown.output).toMatch(/insert 100, update 1, same 899/);
    expect(shown.output).toContain('~ id=500  name: wrong → c500');
    expect(await production('select count(*)::int as n from customers')).toEqual([{ n: 900 }]);
    const { undo } = await ask<{ undo: string }>(...asked, '--yes');
    expect(await production('select count(*)::int as n from customers')).toEqual([{ n: 1000 }]);
    expect((await holdfast('recovery', 'undo', undo, '--yes')).output).toContain(
      '100 rows removed, 1 restored',
    );
    expect(await production('select count(*)::int as n from customers')).toEqual([{ n: 900 }]);
    await expectNothingLeft();
  });

  test('a killed one leaves nothing that the next one does not take away', async () => {
    const asked = ['recover', '--to', iso(wellMs), '--table', 'customers', '--yes'];
    const making = startHoldfast(place, words(...asked));
    await eventually(
      'a copy to be mounted',
      async () => ((await mountsIn(root)).length > 0 ? true : undefined),
      2,
    );
    making.child.kill('SIGKILL');
    await making.ended;
    expectCode(await holdfast(...asked), 0);
    await expectNothingLeft();
    expect((await processesIn(root)).filter((line) => line.includes('postgres'))).toEqual([]);
    const stopped = startHoldfast(place, words(...asked));
    await eventually(
      'a copy to be mounted',
      async () => ((await mountsIn(root)).length > 0 ? true : undefined),
      2,
    );
    stopped.child.kill('SIGINT');
    expectCode(await stopped.ended, 130);
    await expectNothingLeft();
  });

  test('files come back beside or in place, where what was there is kept', async () => {
    const asked = ['recover', '--to', iso(wellMs), '--store', 'uploads', '--path', 'invoices'];
    const refused = await holdfast(...asked, '--yes');
    expectCode(refused, 4);
    expect(refused.output).toContain('add 1, replace 1, same 0');
    expect(refused.errors).toContain('invoices/one.txt');
    const one = path.join(site.uploads, 'invoices', 'one.txt');
    expect(await fs.readFile(one, 'utf8')).toBe('overwritten');
    const { kept } = await ask<{ kept: string }>(...asked, '--overwrite', '--yes');
    expect(await fs.readFile(one, 'utf8')).toBe('first');
    expect(await fs.readFile(path.join(site.uploads, 'invoices', 'two.txt'), 'utf8')).toBe(
      'second',
    );
    expect(await fs.readFile(path.join(kept, 'one.txt'), 'utf8')).toBe('overwritten');
    const beside = [...asked.slice(0, -1), 'invoices/one.txt', '--as', 'invoices/one.old', '--yes'];
    expectCode(await holdfast(...beside), 0);
    expect(await fs.readFile(path.join(site.uploads, 'invoices', 'one.old'), 'utf8')).toBe('first');
  });

  test.each([
    [['recover', '--to', 'now', '--table', 'custmers'], 5, 'Did you mean "customers"?'],
    [
      ['recover', '--to', 'now', '--table', 'customers', '--update'],
      2,
      '--update goes with --merge',
    ],
    [['recover', '--to', 'now', '--store', 'uploads', '--table', 'x'], 2, 'holds no tables'],
    [
      ['recover', '--to', 'now', '--store', 'uploads', '--path', '../x'],
      2,
      'leads out of the store',
    ],
    [['when'], 2, '--sql'],
    [['recovery', 'undo', 'm00000', '--yes'], 5, 'no merge'],
  ] as const)('%j is refused with %i', async (given, code, said) => {
    const ended = await holdfast(...given);
    expect(ended.errors + ended.output).toContain(said);
    expectCode(ended, code);
    expect(ended.errors).not.toMatch(/^\s+at |node:internal/m);
  });
});
