/**
 * Durable work on DBOS: jobs with a name that is theirs for ever, run once, gone on with after a crash; and schedules
 * that start them. One generic workflow, so that an upgrade strands nothing.
 */
import { DBOS } from '@dbos-inc/dbos-sdk';
import pg from 'pg';
import { isHoldfastError, type Logger, messageOf, type Secret, sleepMs, systemClock } from '#base';
import type { ProofRequest } from '#server';
import { type Failure, failureOf } from '../failure.ts';
import { cronFor, slotOf } from './cron.ts';

/** What is to be done, as JSON: it is read again after a restart, by a later version too. */
export type Job =
  | { task: 'capture'; environment: string; stage: string; store: string }
  /** Where one is due that is made off production. */
  | { task: 'next-base'; environment: string; stage: string; store: string }
  | { task: 'retention'; environment: string; stage: string }
  | { task: 'check'; environment: string; stage: string }
  | { task: 'prune'; environment: string; stage: string }
  /** Without `asked`: whatever is to be proven now, if anything is. */
  | { task: 'prove'; environment: string; stage: string; asked?: ProofRequest }
  | { task: 'catalog'; environment: string; stage: string }
  | { task: 'clean-up' };

/** Thrown errors don't survive a database whole: what a person needs of them does. */
export type JobOutcome = { ok: true; value: unknown } | { ok: false; failure: Failure };

export type JobState =
  | { state: 'waiting' | 'running'; job: Job; createdAtMs: number }
  | { state: 'ended'; job: Job; createdAtMs: number; endedAtMs: number; outcome: JobOutcome };

export type Schedule = {
  name: string;
  everyMs: number;
  job: Job;
};

/** The same for one period of a schedule, whoever starts it: a job of that name runs once. */
const slotName = ({ name, everyMs }: Pick<Schedule, 'name' | 'everyMs'>, atMs: number) =>
  `${name}@${new Date(slotOf(atMs, everyMs)).toISOString()}`;

export type Jobs = {
  /** Starts a job under this name, or does nothing where it was started before. Returns when that is durable. */
  start(name: string, job: Job): Promise<void>;
  /** Undefined where there is no job of this name. */
  find(name: string): Promise<JobState | undefined>;
  /** Resolves to its state after at most so many ms. */
  wait(name: string, waitMs: number): Promise<JobState | undefined>;
  /** Replaces all schedules. */
  schedule(schedules: readonly Schedule[]): Promise<void>;
  /** Starts what this period of a schedule asks for, unless it was started: nothing ran when its clock struck. */
  startMissed(schedule: Schedule): Promise<void>;
  /** Removes ended jobs older than that. */
  cleanUp(beforeMs: number): Promise<void>;
  /** Stops taking jobs. Running ones must have been told to stop (an `interrupted` error); they go on at the next start. */
  close(waitMs: number): Promise<void>;
};

export type JobsOptions = {
  databaseUrl: Secret;
  /** How many jobs run side by side. */
  atOnce: number;
  /** May be called again for a job that was cut. `createdAtMs`: when it was asked for, the same each time. */
  run(job: Job, createdAtMs: number): Promise<unknown>;
  log: Logger;
};

const QUEUE = 'work';

/** One per process: DBOS is global. */
export async function startJobs(options: JobsOptions): Promise<Jobs> {
  const pool = new pg.Pool({
    connectionString: options.databaseUrl.reveal(),
    max: 8,
    connectionTimeoutMillis: 10_000,
    options: '-c idle_in_transaction_session_timeout=60000',
    application_name: 'holdfast jobs',
  });
  pool.on('error', (error) => {
    if (!pool.ending) options.log.warn({ what: messageOf(error) }, 'scheduler connection lost');
  });
  DBOS.setConfig({
    name: 'holdfast',
    systemDatabaseUrl: options.databaseUrl.reveal(),
    systemDatabasePool: pool,
    // Constant: a job of an older version goes on under a newer one.
    applicationVersion: '1',
    executorID: 'control-plane',
    schedulerPollingIntervalMs: 2000,
    tracingEnabled: false,
    logger: quieted(options.log),
  });
  const underWay = new Set<Promise<unknown>>();
  const runJob = registerJob(options, underWay);
  const tick = registerTick(runJob);
  await DBOS.launch();
  await DBOS.registerQueue(QUEUE, {
    workerConcurrency: options.atOnce,
    minPollingIntervalMs: 500,
    onConflict: 'always_update',
  });
  const start = async (name: string, job: Job) => {
    await DBOS.startWorkflow(runJob, { workflowID: name, queueName: QUEUE })(job);
  };
  return {
    start,
    find: findJob,
    wait: async (name, waitMs) => {
      if (waitMs > 0 && (await findJob(name)) !== undefined) {
        await DBOS.getResult(name, { timeoutSeconds: waitMs / 1000, pollingIntervalMs: 100 }).catch(
          () => {
            // Its state says how it ended.
          },
        );
      }
      return findJob(name);
    },
    schedule: (schedules) => applySchedules(schedules, tick),
    startMissed: (schedule) => start(slotName(schedule, systemClock.nowMs()), schedule.job),
    cleanUp,
    close: async (waitMs) => {
      const ended = Promise.allSettled([...underWay]);
      await Promise.race([ended, sleepMs(waitMs)]);
      // Long enough to record what has just ended.
      await DBOS.shutdown({ workflowCompletionTimeoutMS: 500, deregister: true });
      await pool.end();
    },
  };
}

type RunJob = (job: Job) => Promise<JobOutcome>;

function registerJob(options: JobsOptions, underWay: Set<Promise<unknown>>): RunJob {
  const attempt = async (job: Job, createdAtMs: number): Promise<JobOutcome> => {
    const work = options.run(job, createdAtMs);
    underWay.add(work);
    try {
      return await outcomeOf(work);
    } finally {
      underWay.delete(work);
    }
  };
  return DBOS.registerWorkflow(
    async (job: Job): Promise<JobOutcome> => {
      const createdAtMs = await DBOS.now();
      return DBOS.runStep(() => attempt(job, createdAtMs), { name: job.task });
    },
    { name: 'job' },
  );
}

type TickContext = { name: string; everyMs: number; job: Job };

function registerTick(runJob: RunJob) {
  return DBOS.registerWorkflow(
    async (at: Date, context: TickContext): Promise<void> => {
      const name = slotName(context, at.getTime());
      await DBOS.startWorkflow(runJob, { workflowID: name, queueName: QUEUE })(context.job);
    },
    { name: 'tick' },
  );
}

async function applySchedules(
  schedules: readonly Schedule[],
  tick: (at: Date, context: TickContext) => Promise<void>,
): Promise<void> {
  const wanted = new Set(schedules.map((schedule) => schedule.name));
  for (const known of await DBOS.listSchedules()) {
    if (!wanted.has(known.scheduleName)) await DBOS.deleteSchedule(known.scheduleName);
  }
  if (schedules.length === 0) return;
  await DBOS.applySchedules(
    schedules.map(({ name, everyMs, job }) => ({
      scheduleName: name,
      workflowFn: tick,
      schedule: cronFor(everyMs),
      context: { name, everyMs, job },
      options: { cronTimezone: 'UTC' },
    })),
  );
}

async function outcomeOf(work: Promise<unknown>): Promise<JobOutcome> {
  try {
    return { ok: true, value: await work };
  } catch (error) {
    // A stop is no outcome: without one the job stays under way, and the next start goes on with it.
    if (isHoldfastError(error) && error.kind === 'interrupted') await forever();
    return { ok: false, failure: failureOf(error) };
  }
}

function forever(): Promise<never> {
  return new Promise(() => {});
}

async function findJob(name: string): Promise<JobState | undefined> {
  const found = await DBOS.getWorkflowStatus(name);
  if (!found) return undefined;
  const job = (found.input as [Job] | undefined)?.[0] as Job;
  const base = { job, createdAtMs: found.createdAt };
  if (found.status === 'ENQUEUED' || found.status === 'DELAYED')
    return { ...base, state: 'waiting' };
  if (found.status === 'PENDING') return { ...base, state: 'running' };
  const outcome = (found.output as JobOutcome | undefined) ?? cutOff(found.status, found.error);
  return { ...base, state: 'ended', endedAtMs: found.updatedAt ?? found.createdAt, outcome };
}

function cutOff(status: string, error: unknown): JobOutcome {
  const message =
    error === undefined || error === null ? `it ended as ${status}` : messageOf(error);
  return {
    ok: false,
    failure: {
      code: 'app/cut-off',
      kind: 'failed',
      message,
      guidance: 'Start it again.',
      retryable: true,
    },
  };
}

async function cleanUp(beforeMs: number): Promise<void> {
  for (;;) {
    const old = await DBOS.listWorkflows({
      completedBefore: new Date(beforeMs).toISOString(),
      status: ['SUCCESS', 'ERROR', 'CANCELLED'],
      limit: 500,
      loadInput: false,
      loadOutput: false,
    });
    if (old.length === 0) return;
    await DBOS.deleteWorkflows(old.map((workflow) => workflow.workflowID));
  }
}

/** DBOS tells every start and stop: of interest when something is looked for. */
function quieted(log: Logger) {
  const text = (entry: unknown) => (typeof entry === 'string' ? entry : messageOf(entry));
  return {
    debug: () => {},
    info: (entry: unknown) => log.debug({}, text(entry)),
    warn: (entry: unknown) => log.warn({}, text(entry)),
    error: (entry: unknown) => log.error({}, text(entry)),
  };
}
