/** What `status` says of proofs: findings loudly, else when the last one was. */
import { formatDuration } from '#base';
import { wrapText } from '../frame/table.ts';
import { formatInstant } from '../frame/when.ts';
import type { Schemas } from './client.ts';

type Proofs = Schemas['ProofStatus'];

const LABEL = 'proofs';
const INDENT = 'repository'.length + 2;

export function proofStatusLines(
  proofs: Proofs | undefined,
  nowMs: number,
  width: number,
): string[] {
  if (!proofs) return [];
  const told = [...proofs.findings.map((finding) => `! ${finding}`), calmly(proofs, nowMs)];
  const lines = told.flatMap((text) => wrapText(text, width - INDENT));
  return lines.map((line, at) => `${(at === 0 ? LABEL : '').padEnd(INDENT)}${line}`);
}

function calmly(proofs: Proofs, nowMs: number): string {
  const { provenAtMs, provenInstantMs, running, waitsFor, periodMs } = proofs;
  const going =
    running === undefined
      ? waitsFor === undefined
        ? ''
        : `; waits for ${waitsFor}`
      : '; one is under way';
  if (provenAtMs === undefined || provenInstantMs === undefined) {
    return `nothing proven yet${going}`;
  }
  const period = `objective ${formatDuration(periodMs)}`;
  return `proven ${formatInstant(provenAtMs, nowMs)}, as of ${formatInstant(provenInstantMs, nowMs)} (${period})${going}`;
}
