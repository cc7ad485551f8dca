/** `holdfast points`: the windows first, for most instants lie in one; then points and marks, newest first. */
import { type Mark as TableMark, tableLines } from '../frame/table.ts';
import { formatInstant } from '../frame/when.ts';
import type { Schemas } from './client.ts';

type Shown = {
  status: Schemas['Status'];
  points: readonly Schemas['Point'][];
  marks: readonly Schemas['Mark'][];
};

export function pointLines(shown: Shown, limit: number, columns: number): string[] {
  const { status } = shown;
  const name = `${status.environment}/${status.stage}`;
  const rows = rowsOf(shown).slice(0, limit);
  if (rows.length === 0) {
    return [
      `${name} · no recovery point yet`,
      '',
      'The first comes with the first capture: holdfast protect',
    ];
  }
  return [
    name,
    ...windowLines(status),
    '',
    ...tableLines([{ title: 'AT' }, { title: 'WHAT', shrinkTo: 20 }], rows, Math.min(columns, 80)),
    '',
    'Bring it back: holdfast recover --to "TIME", or --to "before deploy SHA"',
  ];
}

function windowLines({ stores, atMs }: Schemas['Status']): string[] {
  return stores.flatMap(({ name, windows }) =>
    windows.map(
      ({ fromMs, toMs }) =>
        `  ${name}: any second from ${formatInstant(fromMs, atMs)} to ${formatInstant(toMs, atMs)}`,
    ),
  );
}

type Line = { mark: TableMark; cells: string[] };

function rowsOf({ status, points, marks }: Shown): Line[] {
  const { atMs: nowMs } = status;
  const all = [
    ...points.map(({ atMs, stores }) => ({ atMs, row: pointRow(atMs, stores, nowMs) })),
    ...marks.map((mark) => ({ atMs: mark.atMs, row: markRow(mark, nowMs) })),
  ];
  return all.sort((a, b) => b.atMs - a.atMs).map(({ row }) => row);
}

function pointRow(atMs: number, stores: Schemas['Point']['stores'], nowMs: number): Line {
  return { mark: '✓', cells: [exactly(atMs, nowMs), Object.keys(stores).sort().join(', ')] };
}

function markRow({ atMs, kind, sha, author, note }: Schemas['Mark'], nowMs: number): Line {
  const by = author === undefined ? '' : ` (${author})`;
  const says = note === undefined ? '' : `: ${note}`;
  const name = [kind, sha?.slice(0, 12)].filter((part) => part !== undefined).join(' ');
  return { mark: ' ', cells: [exactly(atMs, nowMs), `${name}${by}${says}`] };
}

/** To the second: so many points can lie in one minute. */
function exactly(atMs: number, nowMs: number): string {
  const seconds = String(new Date(atMs).getSeconds()).padStart(2, '0');
  return `${formatInstant(atMs, nowMs)}:${seconds}`;
}
