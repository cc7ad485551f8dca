/** What a person wants to read at the end, in 80 columns. */
import { formatCount, formatSize } from '#base';
import type { Verification } from '../verify.ts';
import type { Outcome, RecoveryReport } from './play.ts';

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)}s`;
const mark = (good: boolean) => (good ? '✓' : '✗');

function held(verification: Verification): string[] {
  const { ordersExpected, ordersMissing, ordersChanged, ordersFromAfter } = verification;
  const wrongOrders = ordersMissing.length + ordersChanged.length + ordersFromAfter.length;
  const orders = `${formatCount(ordersExpected)} acknowledged before: ${ordersMissing.length} missing, ${ordersChanged.length} changed, ${ordersFromAfter.length} from after`;
  const uploads = `${formatCount(verification.uploadsExpected)} acknowledged before their position: ${verification.uploadsMissing.length} missing`;
  const lines = [
    `${mark(wrongOrders === 0)} orders   ${orders}`,
    `${mark(verification.uploadsMissing.length === 0)} uploads  ${uploads}`,
  ];
  if (verification.ordersLeftBehind > 0) {
    lines.push(
      `· behind   ${formatCount(verification.ordersLeftBehind)} orders placed after the instant, as announced`,
    );
  }
  if (verification.uploadsAfter > 0) {
    lines.push(
      `· behind   ${formatCount(verification.uploadsAfter)} uploads after their position (the files' RPO)`,
    );
  }
  return lines;
}

function phases(report: RecoveryReport): string {
  return report.phases.map(({ phase, tookMs }) => `${phase} ${seconds(tookMs)}`).join(', ');
}

function section(title: string, report: RecoveryReport, verification: Verification): string[] {
  const passed = report.checks.filter(({ verdict }) => verdict === 'pass').length;
  return [
    `${title} in ${seconds(report.tookMs)}: ${phases(report)}`,
    ...held(verification),
    `${mark(passed === report.checks.length)} checks   ${passed} of ${report.checks.length}: ${report.checks.map(({ name }) => name).join(', ')}`,
    '',
  ];
}

/** `record`: the folder in which everything of it is kept. */
export function showOutcome(outcome: Outcome, record: string): string {
  const { stored } = outcome;
  const ratio = stored.storedBytes > 0 ? (stored.sourceBytes / stored.storedBytes).toFixed(1) : '-';
  return [
    '',
    '─'.repeat(72),
    `The shop is back as it was at ${new Date(outcome.markAtMs).toISOString()}`,
    '',
    ...section('Beside production', outcome.beside.report, outcome.beside.verification),
    ...section('In place', outcome.inPlace.report, outcome.inPlace.verification),
    `RPO      ${outcome.rpo.transactions} transactions, ${outcome.rpo.seconds.toFixed(1)}s`,
    `read     ${formatSize(outcome.beside.report.bytesRead)} for the recovery`,
    `stored   ${formatSize(stored.sourceBytes)} of data as ${formatSize(stored.storedBytes)} (${ratio} to 1)`,
    `since    ${formatCount(outcome.ordersAfterwards)} new orders taken after the recovery`,
    `record   ${record}`,
    '',
    outcome.exact
      ? `✓ Exact, in ${seconds(outcome.tookMs)} altogether.`
      : '✗ Not exact: see above.',
    '',
  ].join('\n');
}
