/** How a proof is shown: each check with what was seen, then the verdict. */
import { formatDuration, formatSize, systemClock } from '#base';
import type { Schemas } from '../control-plane/client.ts';
import { formatInstant } from '../frame/when.ts';

export type ShownProof = Schemas['Proof'];

const MARKS = { pass: '✓', fail: '✗', unknown: '?' } as const;

export function proofLines(proof: ShownProof, notMounted?: string): string[] {
  const nowMs = systemClock.nowMs();
  const { environment, stage, instantMs, checks, phases, readBytes, cpuMs } = proof;
  const width = Math.max(0, ...checks.map(({ name }) => name.length));
  const tookMs = phases.map(({ phase, tookMs: one }) => `${phase} ${formatDuration(one)}`);
  const cost = `${formatDuration(proof.endedAtMs - proof.startedAtMs)} (${tookMs.join(', ')})`;
  return [
    `${environment}/${stage} as of ${formatInstant(instantMs, nowMs)}`,
    '',
    ...checks.map(({ name, verdict, what }) => `${MARKS[verdict]} ${name.padEnd(width)}  ${what}`),
    '',
    ...(notMounted === undefined
      ? []
      : [`! Nothing could be mounted (${notMounted}): all data was written out first.`]),
    `${verdictText(proof)} in ${cost}; ${formatSize(readBytes)} read, ${formatDuration(cpuMs)} of processor time. Nothing is left of it.`,
  ];
}

function verdictText({ verdict, checks }: ShownProof): string {
  if (verdict === 'pass') return 'Proven';
  const first = checks.find((check) => check.verdict === verdict)?.name ?? 'nothing was looked at';
  return verdict === 'fail'
    ? `Not proven: "${first}" failed,`
    : `Not proven: "${first}" is unknown,`;
}
