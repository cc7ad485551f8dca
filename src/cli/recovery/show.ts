/** How a recovery is shown: what it will do before it starts, what came of it afterwards. */
import { formatDuration, formatSize } from '#base';
import type { CheckOutcome } from '#recovery';
import { type Row, tableLines } from '../frame/table.ts';
import type { ShownRecovery, ShownStore } from './report.ts';

const COLUMNS = [
  { title: 'STORE', shrinkTo: 8 },
  { title: 'FROM', shrinkTo: 16 },
  { title: 'SKEW' },
  { title: 'LEFT BEHIND' },
];

function skewText(selection: ShownStore): string {
  if (selection.leads && !selection.overLimit) return 'leader';
  if (selection.skewMs === 0) return '0s';
  const around =
    selection.uncertaintyMs >= 100 ? ` ±${formatDuration(selection.uncertaintyMs)}` : '';
  return `${formatDuration(selection.skewMs)}${around}`;
}

/** The table of what each store comes from, as lines of at most `width` cells. */
export function selectionLines(selections: readonly ShownStore[], width: number): string[] {
  const rows = selections.map(
    (selection): Row => ({
      mark: selection.overLimit ? '!' : ' ',
      cells: [
        selection.store,
        selection.from,
        skewText(selection),
        selection.overLimit ? 'over the limit' : (selection.leftBehind ?? '-'),
      ],
    }),
  );
  return tableLines(COLUMNS, rows, width);
}

/** What a person should know of where the stores come from. */
export function noteLines(selections: readonly ShownStore[]): string[] {
  const lines = selections.flatMap(({ store, notes = [] }) =>
    notes.map((note) => `! ${store}: ${note}`),
  );
  return lines.length === 0 ? [] : ['', ...lines];
}

const VERDICT_MARKS = { pass: '✓', fail: '✗', unknown: '?' } as const;

function phaseDetail(phase: string, state: ShownRecovery): string {
  if (phase === 'data') return dataDetail(state);
  if (phase === 'services') return `${state.services.length} started, side effects muted`;
  if (phase !== 'checks') return '';
  const passed = state.checks.filter(({ verdict }) => verdict === 'pass').length;
  return `${passed} of ${state.checks.length}`;
}

function dataDetail({ stores, bytesRead }: ShownRecovery): string {
  const size = formatSize(bytesRead);
  const isMounted = stores.some((store) => store.isMounted);
  return isMounted ? `mounted; ${size} read so far, the rest as it is touched` : `${size} restored`;
}

/** Said once, before the next step: it took longer than it had to. */
function notMountedLines({ notMounted }: ShownRecovery): string[] {
  if (notMounted === undefined) return [];
  return [`! Nothing could be mounted (${notMounted}): all data was written out first.`];
}

function failedChecks(checks: readonly CheckOutcome[]): string[] {
  return checks
    .filter(({ verdict }) => verdict !== 'pass')
    .map(({ name, verdict, what }) => `${VERDICT_MARKS[verdict]} ${name}: ${what}`);
}

export function phaseLines(state: ShownRecovery): string[] {
  const bad = (phase: string) => phase === 'checks' && state.status === 'checks-failed';
  return state.phases.map(({ phase, tookMs }) => {
    const mark = bad(phase) ? '✗' : '✓';
    const took = formatDuration(tookMs).padEnd(6);
    return `${mark} ${phase.padEnd(12)}${took}${phaseDetail(phase, state)}`.trimEnd();
  });
}

function objectiveText(tookMs: number, objectiveMs: number): string {
  const objective = formatDuration(objectiveMs);
  return tookMs <= objectiveMs
    ? ` (objective ${objective})`
    : ` (over the objective of ${objective})`;
}

/** What came of it, ending with the next step. */
export function outcomeLines(state: ShownRecovery, objectiveMs: number | undefined): string[] {
  const tookMs = state.phases.reduce((sum, { tookMs: one }) => sum + one, 0);
  const within = objectiveMs === undefined ? '' : objectiveText(tookMs, objectiveMs);
  const lines = [...phaseLines(state), ...failedChecks(state.checks), ...notMountedLines(state)];
  if (state.status === 'promoted') {
    lines.push(`In place in ${formatDuration(tookMs)}${within}. What it replaced is kept.`, '');
    lines.push(`  undo      holdfast recovery undo ${state.id}`);
    lines.push(`  settle    holdfast recovery remove ${state.id}    # deletes what was replaced`);
    return lines;
  }
  const ready = state.status === 'ready' ? 'Ready' : 'Up, but not all checks passed,';
  lines.push(`${ready} in ${formatDuration(tookMs)}${within}. Production is untouched.`, '');
  lines.push(`  look      holdfast recovery open ${state.id}`);
  lines.push(`  switch    holdfast recovery promote ${state.id}    # what is replaced is kept`);
  lines.push(`  discard   holdfast recovery remove ${state.id}`);
  return lines;
}
