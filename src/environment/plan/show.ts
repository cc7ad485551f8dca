/** The plan as a person reads it, within the columns of a terminal. */
import { formatDuration, formatSize } from '#base';
import type { Plan, PlanFinding, PlannedStore, PlanVerdict } from './plan.ts';

const SYMBOLS: Record<PlanVerdict, string> = {
  ready: '✓',
  attention: '!',
  refused: '✗',
  unreachable: '?',
  excluded: '·',
  unexplained: '✗',
  undeclared: '✗',
};

const LEAST_NAME = 9;
const MOST_NAME = 20;
const MOST_METHOD = 24;

/** Lines without their ends. Only the exact statements that mend something may be longer than `columns`. */
export function showPlan(plan: Plan, columns = 80): string[] {
  const lines = [header(plan), ''];
  if (plan.stores.length > 0) lines.push(...table(plan.stores, columns), '');
  const details = plan.stores.flatMap((store) => detailsOf(store, nameWidth(plan.stores), columns));
  if (details.length > 0) lines.push(...details, '');
  if (plan.firstCapture) lines.push(firstCaptureLine(plan.firstCapture));
  return [...lines, ...nextStep(plan)];
}

function header(plan: Plan): string {
  const stores = counted(plan.stores.length, 'store');
  if (plan.environment === undefined) {
    return `no holdfast.yaml here · ${stores} seen · changes nothing`;
  }
  const services = counted(plan.services, 'service');
  return `${plan.environment}/${plan.stage} · ${stores}, ${services} · changes nothing`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function nameWidth(stores: readonly PlannedStore[]): number {
  const longest = Math.max(...stores.map((store) => store.name.length));
  return Math.min(Math.max(longest, LEAST_NAME), MOST_NAME);
}

function table(stores: readonly PlannedStore[], columns: number): string[] {
  const name = nameWidth(stores);
  const longestMethod = Math.max(...stores.map((store) => store.method.length));
  const method = Math.min(Math.max(longestMethod, 'METHOD'.length), MOST_METHOD);
  const row = (symbol: string, cells: readonly [string, string, string, string]) => {
    const [store, how, rpo, now] = cells;
    const start = `${symbol} ${fitted(store, name)}  ${fitted(how, method)}  ${fitted(rpo, 4)}  `;
    return `${start}${shortened(now, columns - start.length)}`.trimEnd();
  };
  return [
    row(' ', ['STORE', 'METHOD', 'RPO', 'NOW']),
    ...stores.map((store) =>
      row(SYMBOLS[store.verdict], [store.name, store.method, rpoOf(store), store.now]),
    ),
  ];
}

function rpoOf(store: PlannedStore): string {
  if (store.rpoMs === undefined) return '-';
  // `5s` and not `5.0s`: an objective is a whole number here.
  return formatDuration(store.rpoMs).replace('.0s', 's').split(' ')[0] ?? '-';
}

function fitted(text: string, width: number): string {
  return shortened(text, width).padEnd(width);
}

/** Control characters of names and server messages never reach the terminal. */
function shortened(text: string, width: number): string {
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
  return clean.length <= width ? clean : `${clean.slice(0, Math.max(width - 1, 1))}…`;
}

function detailsOf(store: PlannedStore, width: number, columns: number): string[] {
  const indent = ' '.repeat(width + 2);
  const lines = store.findings.flatMap((finding) => findingLines(finding, columns - width - 2));
  return lines.map((line, index) =>
    index === 0 ? `${fitted(store.name, width)}  ${line}` : `${indent}${line}`,
  );
}

function findingLines(finding: PlanFinding, width: number): string[] {
  const said = wrapped(finding.what, width);
  // A limit that is only worth knowing needs no statement to mend it.
  if (finding.mend === undefined || finding.severity === 'note') return said;
  return [...said, ...finding.mend.split('\n').map((line) => `  ${line}`)];
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

function firstCaptureLine(capture: NonNullable<Plan['firstCapture']>): string {
  const atLeast = capture.isLowerBound ? 'at least ' : '';
  const duration = formatDuration(Math.max(capture.estimateMs, 1000)).replace('.0s', 's');
  const rate = Math.round(capture.rateBytesPerSecond / 1e6);
  return `First capture ${atLeast}${formatSize(capture.sizeBytes)}, about ${duration} at ${rate} MB/s.`;
}

function nextStep(plan: Plan): string[] {
  if (plan.environment === undefined) {
    return plan.stores.length === 0
      ? ['Nothing that looks like data was seen. Declare it: holdfast init']
      : [`${needAttention(plan)} Write a first holdfast.yaml: holdfast init`];
  }
  const canStart = plan.stores.some(
    (store) => store.verdict === 'ready' || store.verdict === 'attention',
  );
  if (plan.attention.length === 0) return ['Nothing is in the way. Start: holdfast up'];
  return [
    `${needAttention(plan)} ${canStart ? 'Start the others: holdfast up' : 'Then: holdfast plan'}`,
  ];
}

function needAttention(plan: Plan): string {
  const count = plan.attention.length;
  return count === 1 ? '1 needs attention.' : `${count} need attention.`;
}
