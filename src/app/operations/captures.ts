/** Captures that are asked for: durable jobs, so that they go on when the server is restarted. */
import { systemClock, timedId } from '#base';
import type { Capture, Operations } from '#server';
import type { Job, JobState } from '../durable/jobs.ts';
import { errors } from '../errors.ts';
import type { OperationsOptions } from './operations.ts';

type CaptureJob = Extract<Job, { task: 'capture' }>;

/** What `runJob` answers for a capture. */
type Captured = Pick<
  Capture,
  'capture' | 'bytes' | 'newBytes' | 'storedBytes' | 'readBy' | 'problems'
> & {
  problemCount: number;
};

export function captureOperations({
  environments,
  jobs,
}: OperationsOptions): Pick<Operations, 'protect' | 'capture'> {
  const view = async (id: string, state: JobState | undefined): Promise<Capture> => {
    if (state?.job?.task !== 'capture') throw errors.runNotFound([id]);
    const { environment, stage, store } = state.job;
    const base = { id, environment, stage, store, startedAtMs: state.createdAtMs };
    if (state.state === 'ended') return { ...base, ...ended(state) };
    const protection = environments
      .all()
      .find((one) => one.name === environment && one.stage === stage);
    const progress = protection?.protection?.stores.get(store)?.progress;
    return {
      ...base,
      state: state.state,
      problems: [],
      problemCount: 0,
      ...(progress === undefined ? {} : { progress: progressView(progress) }),
    };
  };
  return {
    protect: async (scope, request) => {
      const protection = environments.protected(scope);
      const { name: environment, stage } = protection.environment;
      const names = request.store === undefined ? [...protection.stores.keys()] : [request.store];
      for (const name of names) protection.store(name);
      return Promise.all(
        names.map(async (store) => {
          const job: CaptureJob = { task: 'capture', environment, stage, store };
          const id = `asked:${environment}/${stage}/${store}@${timedId(systemClock.nowMs())}`;
          await jobs.start(id, job);
          return view(id, await jobs.find(id));
        }),
      );
    },
    capture: async (id, waitMs) => view(id, await jobs.wait(id, waitMs)),
  };
}

function ended(state: Extract<JobState, { state: 'ended' }>) {
  const { outcome, endedAtMs } = state;
  if (!outcome.ok) {
    const { failure } = outcome;
    return { state: 'failed' as const, endedAtMs, problems: [], problemCount: 0, failure };
  }
  const { capture, bytes, newBytes, storedBytes, readBy, problems, problemCount } =
    outcome.value as Captured;
  return {
    state: problemCount > 0 ? ('partial' as const) : ('done' as const),
    ...{ endedAtMs, capture, bytes, newBytes, storedBytes, problems, problemCount },
    ...(readBy && { readBy }),
  };
}

export function progressView(progress: { step: string; doneBytes?: number; totalBytes?: number }) {
  const { step, doneBytes, totalBytes } = progress;
  return {
    step,
    ...(doneBytes === undefined ? {} : { doneBytes }),
    ...(totalBytes === undefined ? {} : { totalBytes }),
  };
}
