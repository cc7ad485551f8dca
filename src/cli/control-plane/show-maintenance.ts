/** What is to be said of the repository itself: findings loudly, else how whole it is known to be. */
import { formatCounted, formatDuration, formatSize } from '#base';
import { wrapText } from '../frame/table.ts';
import { formatInstant } from '../frame/when.ts';
import type { Schemas } from './client.ts';

type Maintenance = Schemas['MaintenanceStatus'];

const LABEL = 'repository';
const INDENT = LABEL.length + 2;
/** More are in `--json`. */
const MOST_FINDINGS = 6;

export function maintenanceLines(
  maintenance: Maintenance | undefined,
  nowMs: number,
  width: number,
): string[] {
  if (!maintenance) return [];
  const { findings } = maintenance;
  const told = findings.slice(0, MOST_FINDINGS).map((finding) => `! ${finding}`);
  const left = findings.length - told.length;
  if (left > 0) told.push(`and ${left} more: see --json`);
  told.push(...calmly(maintenance, nowMs));
  const lines = told.flatMap((text) => wrapText(text, width - INDENT));
  return lines.map((line, at) => `${(at === 0 ? LABEL : '').padEnd(INDENT)}${line}`);
}

function calmly({ check, prune, retention }: Maintenance, nowMs: number): string[] {
  const told: string[] = [];
  if (check.atMs === undefined) told.push('not checked yet');
  else {
    const { freshBytes = 0, totalBytes = 0, periodMs = 0 } = check;
    const percent = totalBytes === 0 ? 100 : Math.round((freshBytes / totalBytes) * 100);
    const whole = check.verdict === 'pass' ? ', whole' : '';
    told.push(
      `checked ${formatInstant(check.atMs, nowMs)}${whole}; ${percent}% of ${formatSize(totalBytes)} read within ${formatDuration(periodMs)}`,
    );
    if (check.mendedCount) {
      const [first] = check.mended ?? [];
      const which = first === undefined ? '' : `: ${first.what}`;
      told.push(`${formatCounted(check.mendedCount, 'damaged file')} mended${which}`);
    }
  }
  if (check.failing) told.push(`the last check couldn't be made: ${check.failing.what}`);
  if (retention.failing) told.push(`retention couldn't be applied: ${retention.failing.what}`);
  if (prune.failing) told.push(`the last prune couldn't be made: ${prune.failing.what}`);
  return told;
}
