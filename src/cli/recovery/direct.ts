/** Recovery without a server: the repository, its password and the environment's declaration are enough. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { createLogger } from '#base';
import type { Environment } from '#environment';
import type { Choice, RecoverResult, RecoveryState, When } from '#recovery';
import type { Repository } from '#repository';
import type { Io } from '../command.ts';
import { errors } from '../errors.ts';
import { locationFrom, passwordFrom } from '../repository/session.ts';

export type Options = Record<string, unknown>;

export type RecoverPlan = {
  when: When;
  stores?: string[];
  inPlace: boolean;
  accept: string[];
  owner?: string;
  line?: number;
};

/** What to do with a choice before it is carried out: show it, ask, refuse. False: not to be carried out. */
export type Consent = (choice: Choice) => Promise<boolean>;

export type DirectSession = {
  environment: Environment;
  repository: Repository;
  root: string;
  io: Io;
};

async function rootFrom(options: Options): Promise<string> {
  if (typeof options.target === 'string') return path.resolve(options.target);
  const { stateFolder } = await import('#app');
  return stateFolder().recoveries;
}

/**
 * The declaration: the file that is named, else holdfast.yaml here, else what was captured with the newest recovery
 * point. `--repo` and its password go before what it says.
 */
async function declaredEnvironment(
  options: Options,
  repository?: Repository,
): Promise<Environment> {
  const { DEFAULT_FILE, loadEnvironment } = await import('#environment');
  const file = typeof options.file === 'string' ? options.file : undefined;
  const isHere = await fs.access(DEFAULT_FILE).then(
    () => true,
    () => false,
  );
  if (file === undefined && !isHere && repository) {
    const { capturedEnvironment } = await import('#app/recovery');
    return await capturedEnvironment(repository, await rootFrom(options));
  }
  return await loadEnvironment({
    ...(file === undefined ? {} : { file }),
    ...(typeof options.stage === 'string' ? { stage: options.stage } : {}),
  });
}

/** Opens everything that a recovery on this host needs, hands it over, and closes it. */
export async function withDirectSession<T>(
  options: Options,
  io: Io,
  work: (session: DirectSession) => Promise<T>,
): Promise<T> {
  const { openRepository, openStorage } = await import('#repository');
  const named = options.repo !== undefined || process.env.HOLDFAST_REPOSITORY !== undefined;
  const declared = named ? undefined : await declaredEnvironment(options);
  const location = declared?.repository.url ?? locationFrom(options);
  const password = declared?.repository.password ?? (await passwordFrom(options));
  const repository = await openRepository({ storage: await openStorage(location), password });
  try {
    const environment = declared ?? (await declaredEnvironment(options, repository));
    return await work({ environment, repository, root: await rootFrom(options), io });
  } finally {
    await repository.close();
  }
}

export type DirectOutcome = { choice: Choice; result?: RecoverResult };

export async function recoverDirectly(
  session: DirectSession,
  plan: RecoverPlan,
  consent: Consent,
): Promise<DirectOutcome> {
  const { environment, repository, root, io } = session;
  const { chooseForEnvironment, recoverEnvironment, spoolFolderOf } = await import('#app/recovery');
  const choice = await chooseForEnvironment({
    environment,
    repository,
    when: plan.when,
    spoolFolder: (store) => spoolFolderOf(environment, store),
    ...(plan.stores ? { stores: plan.stores } : {}),
    ...(plan.line === undefined ? {} : { line: plan.line }),
  });
  if (!(await consent(choice))) return { choice };
  const result = await recoverEnvironment({
    environment,
    repository,
    choice,
    root,
    inPlace: plan.inPlace,
    ...(plan.owner === undefined ? {} : { owner: plan.owner }),
    log: createLogger(),
    progress: io.progress,
    signal: io.signal,
  });
  return { choice, result };
}

/** The state of a recovery on this host; throws `recovery/no-such-recovery`. */
export async function findRecovery(options: Options, id: string): Promise<RecoveryState> {
  const { loadRecovery } = await import('#recovery');
  return await loadRecovery(await rootFrom(options), id);
}

export async function allRecoveries(options: Options): Promise<RecoveryState[]> {
  const { listRecoveries } = await import('#recovery');
  return await listRecoveries(await rootFrom(options));
}

export async function changeDirectly(
  change: 'promote' | 'undo' | 'remove',
  id: string,
  options: Options,
  io: Io,
): Promise<RecoveryState> {
  const { changeRecovery } = await import('#app/recovery');
  const state = await findRecovery(options, id);
  const environment = await declaredEnvironment(options);
  if (environment.name !== state.environment || environment.stage !== state.stage) {
    throw errors.otherEnvironment([id, `${state.environment}/${state.stage}`, environment.file]);
  }
  return await changeRecovery(change, {
    environment,
    state,
    log: createLogger(),
    progress: io.progress,
    signal: io.signal,
  });
}
