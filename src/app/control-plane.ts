/** The control plane without its socket: environments under protection, durable work, and the operations of the API. */
import os from 'node:os';
import type { Logger } from '#base';
import { type Catalog, listEnvironments, type Ownership } from '#catalog';
import { loadEnvironment } from '#environment';
import type { Operations, ProofRequest } from '#server';
import { type Job, type Jobs, startJobs } from './durable/jobs.ts';
import { errors } from './errors.ts';
import { MountKeeper } from './operations/mount-keeper.ts';
import { createOperations } from './operations/operations.ts';
import { RecoveryKeeper } from './operations/recovery-keeper.ts';
import { createActivity } from './protection/activity.ts';
import type { EnvironmentProtection } from './protection/environment-protection.ts';
import { Environments } from './protection/environments.ts';
import { proofView } from './recovery/index.ts';
import type { StateFolder } from './state/folder.ts';

export type ControlPlaneOptions = {
  state: StateFolder;
  catalog: Catalog;
  /** It leads: no other control plane works on this catalog. */
  ownership: Ownership;
  version: string;
  startedAtMs: number;
  log: Logger;
  /** Asked to end through the API. */
  onShutdown(): void;
};

export type ControlPlane = {
  operations: Operations;
  /** Takes up every environment that was applied before. What can't be is shown as trouble and tried again. */
  start(): Promise<void>;
  close(): Promise<void>;
};

/** Jobs at once; captures are bounded again by what `Environments` allows side by side. */
const JOBS_AT_ONCE = 4;
const JOBS_KEPT_MS = 7 * 86_400_000;
const CLOSE_WITHIN_MS = 20_000;

export async function createControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { state, catalog, ownership, log } = options;
  let jobs: Jobs;
  const environments = new Environments({
    state,
    catalog,
    jobs: () => jobs,
    ownership,
    claim: {
      controlPlane: ownership.id,
      holder: `${os.hostname()}, ${state.root}`,
    },
    version: options.version,
    activity: createActivity(),
    log,
  });
  jobs = await startJobs({
    databaseUrl: catalog.url,
    atOnce: JOBS_AT_ONCE,
    log,
    run: (job, createdAtMs) => runJob(job, createdAtMs, environments, () => jobs),
  });
  const keeper = new RecoveryKeeper({ state, environments, log });
  const mountKeeper = new MountKeeper({ state, environments, log });
  const shutdown = { dropSlots: false };
  const operations = createOperations({
    ...options,
    environments,
    jobs,
    onShutdown: (request) => {
      shutdown.dropSlots = request.dropSlots;
      options.onShutdown();
    },
  });
  return {
    operations,
    async start() {
      for (const known of await listEnvironments(catalog.pool)) {
        const { file, overlay, stage } = known;
        const load = () => loadEnvironment(overlay === undefined ? { file } : { file, stage });
        environments.takeUp(known, load);
      }
      keeper.start();
      mountKeeper.start();
    },
    async close() {
      await Promise.all([keeper.close(), mountKeeper.close()]);
      await environments.close({ dispose: shutdown.dropSlots });
      await jobs.close(CLOSE_WITHIN_MS);
    },
  };
}

async function runJob(
  job: Job,
  createdAtMs: number,
  environments: Environments,
  jobs: () => Jobs,
): Promise<unknown> {
  if (job.task === 'clean-up') {
    await jobs().cleanUp(createdAtMs - JOBS_KEPT_MS);
    return undefined;
  }
  const protection = await environments.whenUp(job);
  switch (job.task) {
    case 'capture': {
      const record = await protection.store(job.store).capture(createdAtMs);
      const { id, statistics, facts, problemCount, problems } = record;
      const { readBy } = facts;
      const found = { ...(readBy !== undefined && { readBy }), problems: problems.slice(0, 20) };
      return { capture: id, ...statistics, ...found, problemCount };
    }
    case 'next-base':
      return protection.makeDueBase(job.store);
    case 'catalog':
      return protection.captureCatalog();
    case 'retention':
      return protection.applyRetention();
    case 'check':
      return protection.checkRepository();
    case 'prune':
      return protection.pruneRepository();
    case 'prove':
      return job.asked
        ? proveAsked(job.asked, protection, () => environments.whenUp(job))
        : protection.proofs.proveDue();
    default:
      throw errors.runNotFound([String((job as { task: unknown }).task)]);
  }
}

/** Goes on under the changed declaration, where another one was applied meanwhile. */
async function proveAsked(
  asked: ProofRequest,
  protection: EnvironmentProtection,
  whenUp: () => Promise<EnvironmentProtection>,
): Promise<unknown> {
  try {
    const { proof, notMounted } = await protection.proofs.proveAsked(asked);
    return { proof: proofView(proof), ...(notMounted === undefined ? {} : { notMounted }) };
  } catch (error) {
    const next = protection.stopping.aborted ? await whenUp() : protection;
    if (next === protection) throw error;
    return await proveAsked(asked, next, whenUp);
  }
}
