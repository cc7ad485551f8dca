/**
 * What proofs may cost: a share of one processor core over time, and a share of the stores' bytes read within a day. The
 * next one waits until what was spent fits again; a proof that is due all the same waits for its share of a core alone.
 */
import type { Proof } from '#repository';

export type ProofBudget = {
  /** Of one core, over time: 0.1 lets 3 s of processor time be spent each 30 s. */
  cpuShare: number;
  /** Of the bytes of all stores, read within a day. */
  readShare: number;
};

/** Of what was spent; in any order. */
export type SpentProof = Pick<Proof, 'startedAtMs' | 'endedAtMs' | 'cpuMs' | 'readBytes'>;

const DAY_MS = 86_400_000;
/** A database reads its catalogs to start, however small it is: less than this a day would allow no proof at all. */
export const LEAST_READ_BYTES_A_DAY = 64 * 1024 * 1024;

export type Allowance = {
  /** Plain bytes of all stores. */
  storeBytes: number;
  /** It must be made: no bound on what is read holds it up. */
  isDue: boolean;
  nowMs: number;
};

/** When the next proof may begin, ms since 1970; in the past: now. */
export function nextAllowedMs(
  spent: readonly SpentProof[],
  budget: ProofBudget,
  { storeBytes, isDue, nowMs }: Allowance,
): number {
  const cpuMs = cpuAllowedMs(spent, budget.cpuShare);
  if (isDue) return cpuMs;
  const dayBytes = Math.max(storeBytes * budget.readShare, LEAST_READ_BYTES_A_DAY);
  return Math.max(cpuMs, readAllowedMs(spent, dayBytes, nowMs));
}

/** Each proof holds the next one up until its processor time is the share of the time since it began. */
function cpuAllowedMs(spent: readonly SpentProof[], share: number): number {
  let freeMs = 0;
  for (const { startedAtMs, cpuMs } of inOrder(spent)) {
    freeMs = Math.max(freeMs, startedAtMs) + cpuMs / share;
  }
  return freeMs;
}

/** When so much has left the last day that another one, as large as the last, fits in. */
function readAllowedMs(spent: readonly SpentProof[], dayBytes: number, nowMs: number): number {
  const recent = inOrder(spent).filter(({ startedAtMs }) => startedAtMs > nowMs - DAY_MS);
  let total = recent.reduce((sum, { readBytes }) => sum + readBytes, 0);
  const expected = recent.at(-1)?.readBytes ?? 0;
  let allowedMs = 0;
  for (const { startedAtMs, readBytes } of recent) {
    if (total + expected <= dayBytes) break;
    total -= readBytes;
    allowedMs = startedAtMs + DAY_MS;
  }
  return allowedMs;
}

function inOrder(spent: readonly SpentProof[]): SpentProof[] {
  return [...spent].sort((a, b) => a.startedAtMs - b.startedAtMs);
}

/** The sample of one store, next to what starting it reads anyway: a tenth of what a day allows. */
export function sampleBytesOf(storeBytes: number, { readShare }: ProofBudget): number {
  const wanted = (storeBytes * readShare) / 10;
  return Math.round(Math.min(MOST_SAMPLED_BYTES, Math.max(LEAST_SAMPLED_BYTES, wanted)));
}

const LEAST_SAMPLED_BYTES = 2 * 1024 * 1024;
const MOST_SAMPLED_BYTES = 64 * 1024 * 1024;
