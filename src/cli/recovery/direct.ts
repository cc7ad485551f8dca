/** Recovery without a server: the repository, its password and the environment's declaration are enough. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { createLogger } from '#base';
import type { Environment } from '#environment';
import type { Choice, RecoveryState } from '#recovery';
import type { Repository } from '#repository';
import type { Io } from '../command.ts';
import { errors } from '../errors.ts';
import { locationFrom, passwordFrom } from '../repository/session.ts';
import type { Change, Options, RecoverPlan, RecoveryAccess } from './access.ts';
import { type ShownRecovery, shownChoice, shownState } from './report.ts';

export type Session = { environment: Environment; repository: Repository };

/** Opens the repository when it is first needed: looking at recoveries needs none. */
export function directAccess(options: Options, io: Io): RecoveryAccess {
  let opened: Promise<Session> | undefined;
  let chosen: Choice | undefined;
  const session = () => {
    opened ??= openSession(options);
    return opened;
  };
  const choose = async (plan: RecoverPlan) => {
    chosen = await choiceFor(await session(), plan);
    return chosen;
  };
  return {
    isTended: false,
    objectiveMs: async () => (await session()).environment.objectives.rtoMs,
    choose: async (plan) => {
      const { name, stage } = (await session()).environment;
      return shownChoice(await choose(plan), { environment: name, stage });
    },
    recover: async (plan) => {
      const choice = chosen ?? (await choose(plan));
      return await recoverFrom(await session(), plan, choice, await rootFrom(options), io);
    },
    list: async () => {
      const { listRecoveries } = await import('#recovery');
      const all = await listRecoveries(await rootFrom(options));
      return await Promise.all(all.map(shownLife));
    },
    find: async (id) => await shownLife(await findState(options, id)),
    change: (change, id) => changeDirectly({ change, id, options, io, session }),
    hydrate: async (id, bytesPerSecond) => {
      const { startHydration } = await import('#recovery');
      const state = await findState(options, id);
      const known = bytesPerSecond ?? state.hydration?.bytesPerSecond;
      const { recovery } = await environmentOf(state, options);
      await startHydration(state, known ?? recovery.hydrationBytesPerSecond);
      return await shownLife(state);
    },
    close: async () => {
      // A session that failed to open has nothing to close.
      const held = await opened?.catch(() => undefined);
      await held?.repository.close();
    },
  };
}

/** Opens repository and declaration, hands them over, and closes whatever happens. */
export async function withDirectSession<T>(
  options: Options,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await openSession(options);
  try {
    return await work(session);
  } finally {
    await session.repository.close();
  }
}

async function rootFrom(options: Options): Promise<string> {
  if (typeof options.target === 'string') return path.resolve(options.target);
  const { stateFolder } = await import('#app');
  return stateFolder().recoveries;
}

async function openSession(options: Options): Promise<Session> {
  const { openRepository, openStorage } = await import('#repository');
  const named = options.repo !== undefined || process.env.HOLDFAST_REPOSITORY !== undefined;
  const declared = named ? undefined : await declaredEnvironment(options);
  const location = declared?.repository.url ?? locationFrom(options);
  const password = declared?.repository.password ?? (await passwordFrom(options));
  const s3 = declared?.repository.s3;
  const storage = await openStorage(location, s3 ? { s3 } : {});
  const repository = await openRepository({ storage, password });
  try {
    return {
      repository,
      environment: declared ?? (await declaredEnvironment(options, repository)),
    };
  } catch (error) {
    await repository.close();
    throw error;
  }
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

async function choiceFor({ environment, repository }: Session, plan: RecoverPlan): Promise<Choice> {
  const { chooseForEnvironment, spoolFolderOf } = await import('#app/recovery');
  return await chooseForEnvironment({
    environment,
    repository,
    when: plan.when,
    spoolFolder: (store) => spoolFolderOf(environment, store),
    ...(plan.stores ? { stores: plan.stores } : {}),
    ...(plan.line === undefined ? {} : { line: plan.line }),
  });
}

async function recoverFrom(
  { environment, repository }: Session,
  plan: RecoverPlan,
  choice: Choice,
  root: string,
  io: Io,
): ReturnType<RecoveryAccess['recover']> {
  const { recoverEnvironment, refuseUnacceptedSkew, settleEnvironment } = await import(
    '#app/recovery'
  );
  refuseUnacceptedSkew(choice, plan.accept);
  const tools = { log: createLogger(), progress: io.progress, signal: io.signal };
  const { state, problems } = await recoverEnvironment({
    environment,
    repository,
    choice,
    root,
    inPlace: plan.inPlace,
    full: plan.full,
    ...(plan.owner === undefined ? {} : { owner: plan.owner }),
    ...tools,
  });
  // Nobody else would do it soon.
  if (state.isUnsettled) await settleEnvironment({ environment, state, ...tools });
  return { recovery: shownState(state), problems };
}

async function findState(options: Options, id: string): Promise<RecoveryState> {
  const { loadRecovery } = await import('#recovery');
  return await loadRecovery(await rootFrom(options), id);
}

/** With what only those who serve its mounts know. What nobody serves any more is taken off first: nothing may hang on it. */
async function shownLife(state: RecoveryState): Promise<ShownRecovery> {
  const { detachDeadMounts, lifeOf } = await import('#recovery');
  await detachDeadMounts(state.folder);
  return shownState(state, await lifeOf(state));
}

/** The declaration, if it is the one of this recovery. */
async function environmentOf(state: RecoveryState, options: Options): Promise<Environment> {
  const environment = await declaredEnvironment(options);
  if (environment.name !== state.environment || environment.stage !== state.stage) {
    const scope = `${state.environment}/${state.stage}`;
    throw errors.otherEnvironment([state.id, scope, environment.file]);
  }
  return environment;
}

type DirectChange = {
  change: Change;
  id: string;
  options: Options;
  io: Io;
  session(): Promise<Session>;
};

async function changeDirectly(given: DirectChange): Promise<ShownRecovery> {
  const { change, id, options } = given;
  const state = await findState(options, id);
  await carryOut(given, state, await environmentOf(state, options));
  if (change === 'remove') return { ...shownState(state), status: 'removed' };
  return await shownLife(state);
}

async function carryOut(
  { change, io, session }: DirectChange,
  state: RecoveryState,
  environment: Environment,
): Promise<void> {
  const { changeRecovery, leaveMountsOf, resumeEnvironment } = await import('#app/recovery');
  const { progress, signal } = io;
  const options = { environment, state, log: createLogger(), progress, signal };
  const repository = async () => (await session()).repository;
  if (change === 'resume') await resumeEnvironment({ ...options, repository });
  else if (change === 'leave') await leaveMountsOf(options);
  else if (change === 'pause') await (await import('#recovery')).pauseHydration(state);
  else await changeRecovery(change, options);
}
