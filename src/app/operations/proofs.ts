/** Proofs through the API: those that were made, and those that are asked for, which are durable jobs. */
import { systemClock, timedId } from '#base';
import { lastProofs, listProofs } from '#catalog';
import type { Proof } from '#repository';
import type { Operations, Point, ProofRun } from '#server';
import type { Job, JobState } from '../durable/jobs.ts';
import { errors } from '../errors.ts';
import { proofView } from '../recovery/index.ts';
import { progressView } from './captures.ts';
import type { OperationsOptions } from './operations.ts';

type ProofJob = Extract<Job, { task: 'prove' }>;

export function proofOperations({
  environments,
  catalog,
  jobs,
}: OperationsOptions): Pick<Operations, 'proofs' | 'prove' | 'proofRun'> {
  const view = async (id: string, state: JobState | undefined): Promise<ProofRun> => {
    if (state?.job?.task !== 'prove' || !state.job.asked) throw errors.proofNotFound([id]);
    const { environment, stage } = state.job;
    const base = { id, environment, stage };
    if (state.state === 'ended') return { ...base, ...ended(state) };
    const entry = environments.all().find((one) => one.name === environment && one.stage === stage);
    const progress = entry?.protection?.proofs.progress;
    return { ...base, state: state.state, ...(progress && { progress: progressView(progress) }) };
  };
  return {
    proofs: async (scope, limit) => {
      const { name, stage } = environments.find(scope);
      const rows = await listProofs(catalog.pool, { environment: name, stage }, limit);
      return rows.map(({ record }) => proofView(record as Proof));
    },
    prove: async (scope, asked) => {
      const { name: environment, stage } = environments.protected(scope).environment;
      const job: ProofJob = { task: 'prove', environment, stage, asked };
      const id = `proof:${environment}/${stage}@${timedId(systemClock.nowMs())}`;
      await jobs.start(id, job);
      return view(id, await jobs.find(id));
    },
    proofRun: async (id, waitMs) => view(id, await jobs.wait(id, waitMs)),
  };
}

function ended({ outcome }: Extract<JobState, { state: 'ended' }>) {
  if (!outcome.ok) return { state: 'failed' as const, failure: outcome.failure };
  const { proof, notMounted } = outcome.value as Pick<ProofRun, 'proof' | 'notMounted'>;
  return { state: 'done' as const, proof, ...(notMounted === undefined ? {} : { notMounted }) };
}

export function firstBad({ checks, verdict }: Pick<Proof, 'checks' | 'verdict'>) {
  return verdict === 'pass' ? undefined : checks.find((check) => check.verdict === verdict);
}

/** The last proof of each point, as a list of points shows it. */
export async function proofsOfPoints(
  pool: Parameters<typeof lastProofs>[0],
  ids: readonly string[],
): Promise<Map<string, NonNullable<Point['proof']>>> {
  const rows = await lastProofs(pool, ids);
  return new Map(
    [...rows].map(([point, { id, endedAtMs, record }]) => {
      const proof = record as Proof;
      const failedBy = firstBad(proof)?.name;
      const { verdict } = proof;
      const more = failedBy === undefined ? {} : { failedBy };
      return [point, { id, verdict, atMs: endedAtMs, ...more }];
    }),
  );
}
