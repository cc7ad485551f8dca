/** `holdfast points`: the windows first, for most instants lie in one; then points and marks, newest first. */
import { type Mark as TableMark, tableLines } from '../frame/table.ts';
import { formatInstant } from '../frame/when.ts';
import type { Schemas } from './client.ts';

type Shown = {
  status: Schemas['Status'];
  points: readonly Schemas['Point'][];
  marks: readonly Schemas['Mark'][];
  proofs: readonly Schemas['Proof'][];
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
    ...tableLines(COLUMNS, rows, Math.min(columns, 80)),
    '',
    'Bring it back: holdfast recover --to "TIME", or --to "before deploy SHA"',
  ];
}

const COLUMNS = [
  { title: 'AT' },
  { title: 'WHAT', shrinkTo: 20 },
  { title: 'PROVEN', shrinkTo: 12 },
];

function windowLines({ stores, atMs }: Schemas['Status']): string[] {
  return stores.flatMap(({ name, windows }) =>
    windows.map(
      ({ fromMs, toMs }) =>
        `  ${name}: any second from ${formatInstant(fromMs, atMs)} to ${formatInstant(toMs, atMs)}`,
    ),
  );
}

type Line = { mark: TableMark; cells: string[] };

function rowsOf({ status, points, marks, proofs }: Shown): Line[] {
  const { atMs: nowMs } = status;
  const all = [
    ...points.map((point) => ({ atMs: point.atMs, row: pointRow(point, nowMs) })),
    ...proofs
      .filter(({ point }) => point === undefined)
      .map((proof) => ({ atMs: proof.instantMs, row: instantRow(proof, nowMs) })),
    ...marks.map((mark) => ({ atMs: mark.atMs, row: markRow(mark, nowMs) })),
  ];
  return all.sort((a, b) => b.atMs - a.atMs).map(({ row }) => row);
}

function pointRow({ atMs, stores, proof }: Schemas['Point'], nowMs: number): Line {
  const what = Object.entries(stores).sort().map(storeText).join(', ');
  if (!proof) return { mark: ' ', cells: [exactly(atMs, nowMs), what, 'not yet'] };
  const { verdict, failedBy } = proof;
  const proven = provenText(verdict, proof.atMs, failedBy, nowMs);
  return { mark: PROOF_MARKS[verdict], cells: [exactly(atMs, nowMs), what, proven] };
}

function storeText([name, { madeOf }]: [string, Schemas['Point']['stores'][string]]): string {
  return madeOf === undefined ? name : `${name} (off production)`;
}

/** An instant of a window, that no point is noted of. */
function instantRow(proof: Schemas['Proof'], nowMs: number): Line {
  const { instantMs, endedAtMs, verdict, checks, stores } = proof;
  const failedBy = checks.find((check) => check.verdict === verdict)?.name;
  const proven = provenText(verdict, endedAtMs, failedBy, nowMs);
  const what = `${Object.keys(stores).sort().join(', ')} (by time)`;
  return { mark: PROOF_MARKS[verdict], cells: [exactly(instantMs, nowMs), what, proven] };
}

const PROOF_MARKS = { pass: '✓', fail: '✗', unknown: '?' } as const;

function provenText(
  verdict: keyof typeof PROOF_MARKS,
  atMs: number,
  failedBy: string | undefined,
  nowMs: number,
): string {
  if (verdict === 'pass') return formatInstant(atMs, nowMs);
  return `${verdict === 'fail' ? 'failed' : 'unknown'}: ${failedBy ?? 'nothing was looked at'}`;
}

function markRow({ atMs, kind, sha, author, note }: Schemas['Mark'], nowMs: number): Line {
  const by = author === undefined ? '' : ` (${author})`;
  const says = note === undefined ? '' : `: ${note}`;
  const name = [kind, sha?.slice(0, 12)].filter((part) => part !== undefined).join(' ');
  return { mark: ' ', cells: [exactly(atMs, nowMs), `${name}${by}${says}`, ''] };
}

/** To the second: so many points can lie in one minute. */
function exactly(atMs: number, nowMs: number): string {
  const seconds = String(new Date(atMs).getSeconds()).padStart(2, '0');
  return `${formatInstant(atMs, nowMs)}:${seconds}`;
}
