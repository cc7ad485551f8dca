/** Which instant is to be proven next, if any. */
import type { Proof, RecoveryPoint } from '#repository';

export type ProofTarget = {
  /** Undefined: all that there is by now, for no point is left to be proven. */
  point?: Pick<RecoveryPoint, 'id' | 'atMs'>;
  /** One is owed: none was made within the period, or none since the declaration changed. */
  isDue: boolean;
};

export type ProofState = {
  /** In any order. */
  points: readonly Pick<RecoveryPoint, 'id' | 'atMs'>[];
  proofs: readonly Pick<Proof, 'point' | 'endedAtMs' | 'verdict' | 'declaration'>[];
  /** How old the last proof may be. */
  periodMs: number;
  /** Digest of what is declared now. */
  declaration: string;
  nowMs: number;
};

/** Somewhat early, so that the period isn't over before one is found that is made in time. */
const DUE_SHARE = 0.8;
/** What a point needs of a journal is in the repository by then. */
const SETTLED_MS = 5_000;
/** One that didn't pass is looked at again: what was in its way may have gone. */
const AGAIN_MS = 3_600_000;

/**
 * The newest point that has no proof, not older than a period: what lies further back is left as it is. Else, where one
 * is due, all that there is by now. Undefined where nothing is to be proven.
 */
export function chooseProof(state: ProofState): ProofTarget | undefined {
  const { points, proofs, periodMs, declaration, nowMs } = state;
  if (points.length === 0) return undefined;
  const latest = newest(proofs);
  if (latest && latest.verdict !== 'pass' && isOwedAgain(latest, state)) {
    const point = points.find(({ id }) => id === latest.point);
    return { ...(point && { point }), isDue: true };
  }
  const isDue =
    latest === undefined ||
    latest.declaration !== declaration ||
    nowMs - latest.endedAtMs >= periodMs * DUE_SHARE;
  const known = new Set(proofs.map(({ point }) => point));
  const point = points
    .filter(({ id, atMs }) => !known.has(id) && atMs > nowMs - periodMs)
    .filter(({ atMs }) => atMs <= nowMs - SETTLED_MS)
    .reduce<ProofTarget['point']>(
      (a, b) => (a === undefined || a.atMs < b.atMs ? b : a),
      undefined,
    );
  if (point) return { point, isDue };
  return isDue ? { isDue } : undefined;
}

/** A newer point would be taken anyway: only while there is none. */
function isOwedAgain(
  latest: ProofState['proofs'][number],
  { points, proofs, nowMs }: ProofState,
): boolean {
  if (nowMs - latest.endedAtMs < AGAIN_MS) return false;
  const known = new Set(proofs.map(({ point }) => point));
  const atMs = points.find(({ id }) => id === latest.point)?.atMs ?? latest.endedAtMs;
  return !points.some((point) => point.atMs > atMs && !known.has(point.id));
}

function newest<T extends { endedAtMs: number }>(proofs: readonly T[]): T | undefined {
  return proofs.reduce<T | undefined>(
    (a, b) => (a === undefined || a.endedAtMs <= b.endedAtMs ? b : a),
    undefined,
  );
}
