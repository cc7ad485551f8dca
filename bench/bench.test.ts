/** The benchmarks run through at a small size and give numbers; how large the numbers are is nobody's promise here. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { benchFiles } from './files.ts';
import { benchImage } from './image.ts';
import { benchPostgres } from './postgres.ts';
import { type BenchTable, showTable } from './table.ts';

let folder: string;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-bench-'));
  fs.chmodSync(folder, 0o755);
});

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function expectNumbers(table: BenchTable, rows: readonly string[]): void {
  expect(table.title).toMatch(/zstd/);
  expect(table.rows.map(({ title }) => title)).toEqual(rows);
  for (const { title, values, ratios } of table.rows) {
    expect(values).toHaveLength(table.columns.length);
    expect(ratios).toHaveLength(table.columns.length - 1);
    // Processor time is counted in ticks, and the smallest programs need none.
    const least = leastOf(title);
    for (const number of [...values, ...ratios]) expect(number, title).toBeGreaterThan(least);
  }
  expect(showTable(table).split('\n')).toHaveLength(rows.length + 3);
}

function leastOf(title: string): number {
  // So little changes at this size that a peer may free more, by clearing up, than it adds.
  if (title.startsWith('again') && title.endsWith('stored')) return Number.NEGATIVE_INFINITY;
  return title.endsWith('processor') ? -1 : 0;
}

test('files, against restic and borg', async () => {
  const table = await benchFiles(folder, 4 * 2 ** 20, 1);
  expect(table.columns).toEqual(['holdfast', 'restic', 'borg']);
  expectNumbers(table, [
    'first backup, wall',
    'first backup, processor',
    'first backup, peak memory',
    'stored',
    'unchanged backup, wall',
    'unchanged backup, processor',
    'unchanged backup, peak memory',
    'restore, wall',
    'restore, processor',
    'restore, peak memory',
    'check of all data, wall',
    'check of all data, processor',
    'check of all data, peak memory',
  ]);
}, 300_000);

test('an image whose pages change, against restic and borg', async () => {
  const table = await benchImage(folder, 8 * 2 ** 20, 1);
  expectNumbers(table, [
    'first backup, wall',
    'first backup, processor',
    'stored',
    'after the change, wall',
    'after the change, processor',
    'after the change, peak memory',
    'after the change, new bytes',
  ]);
}, 300_000);

test("Postgres, against its own tools, pgBackRest and restic's restore", async () => {
  const [base, recovery, sizes] = await benchPostgres(folder, 15 * 2 ** 20, 1);
  expect(base?.columns).toEqual(['holdfast', 'pg_basebackup', 'pg_basebackup -z', 'pgbackrest']);
  const again = 'again after 5 s of pgbench (pgBackRest: incremental)';
  expectNumbers(
    base as BenchTable,
    ['first base', again].flatMap((one) => [`${one}, wall`, `${one}, processor`, `${one}, stored`]),
  );
  expectNumbers(recovery as BenchTable, ['until it answers, wall']);
  expectNumbers(sizes as BenchTable, ['first base, stored', 'each later one, stored']);
}, 300_000);
