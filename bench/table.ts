/** Tables of a benchmark: a value per program, and how many times ours the others take. */
import type { Measured } from './measure.ts';

export type BenchRow = { title: string; unit: string; values: number[]; ratios: number[] };
export type BenchTable = { title: string; columns: string[]; rows: BenchRow[] };

/** How many times ours theirs is: above 1 is good for us. */
export const ratio = (theirs: number, ours: number): number => theirs / ours;

/** Wall and processor time and peak memory of ours beside one other. */
export function rowsAgainst(title: string, ours: Measured, theirs: Measured): BenchRow[] {
  const row = (what: string, unit: string, a: number, b: number) => ({
    title: `${title}, ${what}`,
    unit,
    values: [a, b],
    ratios: [ratio(b, a)],
  });
  return [
    row('wall', 's', ours.wallMs / 1000, theirs.wallMs / 1000),
    row('processor', 's', ours.cpuMs / 1000, theirs.cpuMs / 1000),
    row('peak memory', 'MiB', ours.peakBytes / 2 ** 20, theirs.peakBytes / 2 ** 20),
  ];
}

const number = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(2));

export function showTable(table: BenchTable): string {
  const [ours, ...others] = table.columns;
  const titles = ['', ...table.columns, ...others.map((name) => `${name}/${ours}`)];
  const lines = table.rows.map((row) => [
    `${row.title} (${row.unit})`,
    ...row.values.map(number),
    ...row.ratios.map((value) => `${value.toFixed(2)}x`),
  ]);
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => (line[column] as string).length)),
  );
  const show = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] as number) : cell.padStart(widths[column] as number),
      )
      .join('  ');
  return [table.title, show(titles), ...lines.map(show), ''].join('\n');
}
