/** Which records of proofs go: those of what can still be recovered stay, of the others one a day, for a year. */
import { listProofs as listRows, type ProofRow, removeRecords } from '#catalog';
import { listPoints, removeProof } from '#repository';
import type { ProtectionContext } from './context.ts';

const DAY_MS = 86_400_000;
const KEPT_MS = 365 * DAY_MS;
const ALL = 10_000_000;

type Aged = Pick<ProofRow, 'id' | 'point' | 'instantMs' | 'endedAtMs' | 'verdict'>;

/** `points`: those that are left. The newest proof and the newest that passed always stay. */
export function expendableProofs(
  proofs: readonly Aged[],
  points: readonly { id: string; atMs: number }[],
  nowMs: number,
): Aged[] {
  const left = new Set(points.map(({ id }) => id));
  const oldestMs = Math.min(...points.map(({ atMs }) => atMs));
  const days = new Set<number>();
  const newestFirst = [...proofs].sort((a, b) => b.endedAtMs - a.endedAtMs);
  const always = new Set([newestFirst[0], newestFirst.find(({ verdict }) => verdict === 'pass')]);
  return newestFirst.filter((proof) => {
    const isOfUse = proof.point === undefined ? proof.instantMs >= oldestMs : left.has(proof.point);
    const day = Math.floor(proof.endedAtMs / DAY_MS);
    const isFirstOfDay = !days.has(day);
    if (!isOfUse) days.add(day);
    const isKept = isOfUse || (isFirstOfDay && proof.endedAtMs > nowMs - KEPT_MS);
    return !isKept && !always.has(proof);
  });
}

/** Resolves to how many went. May be cut and called again. */
export async function removeProofs(
  { repository, catalog, environment }: ProtectionContext,
  nowMs: number,
): Promise<number> {
  const { name, stage } = environment;
  const rows = await listRows(catalog.pool, { environment: name, stage }, ALL);
  const points = await listPoints(repository, name, stage);
  const expendable = expendableProofs(rows, points, nowMs).map(({ id }) => id);
  for (const id of expendable) await removeProof(repository, name, stage, id);
  await removeRecords(catalog.pool, 'proof', expendable);
  return expendable.length;
}
