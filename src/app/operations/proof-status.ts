/** What is known of proofs: when the last one was and how it went, and what of it a person must know. */
import { formatDuration, systemClock } from '#base';
import { lastProofOf, listPoints, listProofs, type ProofRow } from '#catalog';
import type { Proof } from '#repository';
import type { ProofStatus } from '#server';
import type { EnvironmentProtection } from '../protection/environment-protection.ts';
import { firstBad } from './proofs.ts';

export async function proofStatus({
  context,
  proofs,
}: EnvironmentProtection): Promise<ProofStatus> {
  const { catalog, environment } = context;
  const scope = { environment: environment.name, stage: environment.stage };
  const [[last], passed, points] = await Promise.all([
    listProofs(catalog.pool, scope, 1),
    lastProofOf(catalog.pool, scope, 'pass'),
    listPoints(catalog.pool, scope, MOST_POINTS),
  ]);
  return proofStatusOf({
    ...{ last, passed },
    firstPointMs: points.at(-1)?.atMs,
    periodMs: environment.objectives.proofMs,
    isOff: environment.proofs === undefined,
    waitsFor: proofs.waitsFor,
    running: proofs.progress?.step,
    nowMs: systemClock.nowMs(),
  });
}

/** More than a period's worth need not be looked at. */
const MOST_POINTS = 10_000;

export type ProofKnowledge = {
  last: Pick<ProofRow, 'endedAtMs' | 'record'> | undefined;
  passed: Pick<ProofRow, 'endedAtMs' | 'instantMs'> | undefined;
  /** Since then there has been something to prove. */
  firstPointMs: number | undefined;
  periodMs: number;
  /** None is to be made by itself. */
  isOff: boolean;
  waitsFor: string | undefined;
  running: string | undefined;
  nowMs: number;
};

export function proofStatusOf(known: ProofKnowledge): ProofStatus {
  const { last, passed, periodMs, isOff, running } = known;
  const proof = last?.record as Proof | undefined;
  const bad = proof && firstBad(proof);
  const waitsFor = isOff ? 'somebody: holdfast.yaml says proofs: none' : known.waitsFor;
  return {
    verdict: proof?.verdict ?? 'unknown',
    ...(last && { atMs: last.endedAtMs }),
    ...(passed && { provenAtMs: passed.endedAtMs, provenInstantMs: passed.instantMs }),
    ...(bad && { failedBy: bad.name, failedWhat: bad.what }),
    periodMs,
    ...(waitsFor === undefined ? {} : { waitsFor }),
    ...(running === undefined ? {} : { running }),
    findings: [...lastFindings(proof), ...ageFindings(known, waitsFor)],
  };
}

function lastFindings(proof: Proof | undefined): string[] {
  if (!proof || proof.verdict === 'pass') return [];
  const bad = firstBad(proof);
  const seen = bad ? `${bad.name}: ${bad.what}` : 'nothing was looked at';
  const when = new Date(proof.instantMs).toISOString();
  return [
    proof.verdict === 'fail'
      ? `the proof of ${when} failed: ${seen}`
      : `the proof of ${when} could not be made: ${seen}`,
  ];
}

/** Where none is to be made by itself, nobody is told that none was. */
function ageFindings(
  { passed, firstPointMs, periodMs, isOff, nowMs }: ProofKnowledge,
  waitsFor: string | undefined,
): string[] {
  const sinceMs = passed?.endedAtMs ?? firstPointMs;
  if (isOff || sinceMs === undefined || nowMs - sinceMs <= periodMs) return [];
  const why = waitsFor === undefined ? '' : `; it waits for ${waitsFor}`;
  return [
    `nothing was proven for ${formatDuration(nowMs - sinceMs)} (objective ${formatDuration(periodMs)})${why}`,
  ];
}
