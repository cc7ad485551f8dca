/**
 * One recovery from the declared environment and a repository. The control plane and the data-plane command line both
 * come through here; it asks no catalog.
 */
import path from 'node:path';
import { formatDuration, type Logger, type ProgressListener, systemClock } from '#base';
import type { Environment } from '#environment';
import {
  type Choice,
  type CrashPoint,
  chooseRecovery,
  goOnWithCut,
  leaveHydrated,
  type MountClient,
  outcomeOf,
  promoteRecovery,
  type RecoverableStore,
  type RecoverResult,
  type RecoveryState,
  recoverBeside,
  recoveryErrors,
  refuseUnswitchable,
  removeRecovery,
  resumeRecovery,
  type SwitchOptions,
  settleRecovery,
  sourcesOf,
  storesDown,
  undoRecovery,
  type When,
  whyNoMount,
} from '#recovery';
import type { Repository } from '#repository';
import { type CaptureOutcome, findSource, type Source } from '#sources';
import { mountsOf } from './mounting.ts';
import { siteOf } from './site.ts';

export type ChooseOptions = {
  environment: Environment;
  repository: Repository;
  when: When;
  /** Undefined: every protected store. */
  stores?: readonly string[];
  line?: number;
  /** Spool of a store on this host, where there is one. */
  spoolFolder(store: string): string | undefined;
  /** What a running watcher knows of a store (see RecoverableStore). */
  unchangedUntilMs?: Readonly<Record<string, number>>;
};

/** Throws what `chooseRecovery` throws, and `recovery/no-such-store`. */
export async function chooseForEnvironment(options: ChooseOptions): Promise<Choice> {
  const { environment, repository, when, line } = options;
  return await chooseRecovery({
    repository,
    environment: environment.name,
    stage: environment.stage,
    stores: recoverableStores(options),
    when,
    skewLimitMs: environment.consistency.skewMs,
    nowMs: systemClock.nowMs(),
    ...(environment.consistency.leader === undefined
      ? {}
      : { leader: environment.consistency.leader }),
    ...(line === undefined ? {} : { line }),
  });
}

function recoverableStores(options: ChooseOptions): RecoverableStore[] {
  const declared = options.environment.stores.filter((store) => 'own' in store);
  const names = options.stores ?? declared.map(({ name }) => name);
  return names.map((name) => {
    const store = declared.find((candidate) => candidate.name === name);
    if (!store)
      throw recoveryErrors.noSuchStore([name, declared.map((one) => one.name).join(', ')]);
    const source = findSource(store.type);
    if (!source) throw recoveryErrors.sourceUnknown([store.type]);
    const spoolFolder = options.spoolFolder(name);
    const unchangedUntilMs = options.unchangedUntilMs?.[name];
    return {
      name,
      source,
      own: store.own,
      ...(spoolFolder === undefined ? {} : { spoolFolder }),
      ...(unchangedUntilMs === undefined ? {} : { unchangedUntilMs }),
    };
  });
}

/** Throws `recovery/skew-not-accepted` naming what was not accepted. */
export function refuseUnacceptedSkew(choice: Choice, accepted: readonly string[]): void {
  const refused = choice.stores
    .filter(({ selection }) => selection.overLimit && !accepted.includes(selection.store))
    .map(({ selection }) => `${selection.store} (${formatDuration(selection.skewMs)})`);
  if (refused.length > 0) throw recoveryErrors.skewNotAccepted([refused.join(', ')]);
}

export type RecoverEnvironmentOptions = {
  environment: Environment;
  repository: Repository;
  choice: Choice;
  root: string;
  inPlace: boolean;
  /** Everything is written out before anything starts. Else stores are mounted, where that can be. */
  full: boolean;
  owner?: string;
  log: Logger;
  progress: ProgressListener;
  signal: AbortSignal;
  onBegun?: (state: RecoveryState) => void;
  crashPoint?: CrashPoint;
};

const captureOutcomes = (choice: Choice): Record<string, CaptureOutcome> =>
  Object.fromEntries(choice.stores.map(({ store, capture }) => [store.name, outcomeOf(capture)]));

/**
 * Recovers beside production and, where asked, puts it in production's place when its checks passed. Resolves as soon as it
 * answers: of a mounted one `settleEnvironment` is due then.
 */
export async function recoverEnvironment(
  options: RecoverEnvironmentOptions,
): Promise<RecoverResult> {
  const { environment, choice, inPlace, signal, log, progress } = options;
  const site = siteOf({ environment, captures: captureOutcomes(choice), signal });
  const sources = sourcesOf(choice);
  if (inPlace) await refuseUnswitchable({ site, state: { stores: {} } }, Object.keys(sources));
  const mounting = await mountingFor(options);
  const result = await recoverBeside({
    repository: options.repository,
    environment: environment.name,
    stage: environment.stage,
    choice,
    site,
    root: options.root,
    inPlace,
    ...mounting,
    ...(options.owner === undefined ? {} : { owner: options.owner }),
    ...(options.onBegun === undefined ? {} : { onBegun: options.onBegun }),
    ...(options.crashPoint === undefined ? {} : { crashPoint: options.crashPoint }),
    ...{ log, progress, signal },
  });
  if (inPlace && result.state.status === 'ready') {
    await promoteRecovery({ state: result.state, site, sources, log, progress, signal });
  }
  return result;
}

/** In place all of it is needed before the switch: written out is sooner done than mounted and brought here. */
export async function mountingFor(
  options: Pick<
    RecoverEnvironmentOptions,
    'full' | 'inPlace' | 'repository' | 'environment' | 'root'
  >,
): Promise<{ mounts?: MountClient; notMounted?: string }> {
  const { full, inPlace, repository, environment, root } = options;
  if (full || inPlace || repository.location.startsWith('memory:')) return {};
  const notMounted = await whyNoMount();
  if (notMounted !== undefined) return { notMounted };
  return { mounts: mountsOf(environment, repository, root) };
}

export type ChangeOptions = {
  environment: Environment;
  state: RecoveryState;
  log: Logger;
  progress: ProgressListener;
  signal: AbortSignal;
  crashPoint?: CrashPoint;
};

function switchOptions(options: ChangeOptions): SwitchOptions {
  const { environment, state, log, progress, signal, crashPoint } = options;
  const known = (name: string): [string, Source][] => {
    const store = environment.stores.find((candidate) => candidate.name === name);
    const source = store && findSource(store.type);
    return source ? [[name, source]] : [];
  };
  return {
    state,
    site: siteOf({ environment, signal }),
    sources: Object.fromEntries(Object.keys(state.stores).flatMap(known)),
    ...{ log, progress, signal },
    ...(crashPoint === undefined ? {} : { crashPoint }),
  };
}

/** `promote`, `undo` and `remove` of a recovery that lives on this host. May be repeated after a crash. */
export async function changeRecovery(
  change: 'promote' | 'undo' | 'remove',
  options: ChangeOptions,
): Promise<RecoveryState> {
  const prepared = switchOptions(options);
  if (change === 'promote') return await promoteRecovery(prepared);
  if (change === 'undo') return await undoRecovery(prepared);
  await removeRecovery(prepared);
  return options.state;
}

/** What an end of the process that was at it cut. Resolves to whether there was something to do. */
export async function goOnWithCutRecovery(options: ChangeOptions): Promise<boolean> {
  return await goOnWithCut(switchOptions(options));
}

/** Brings a recovery up again as its state says, with whatever it needs of its repository. */
export async function resumeEnvironment(
  options: ChangeOptions & { repository(): Promise<Repository> },
): Promise<RecoveryState> {
  const { environment, state } = options;
  const mounts = async () =>
    mountsOf(environment, await options.repository(), path.dirname(state.folder));
  await resumeRecovery({ ...switchOptions(options), mounts });
  return state;
}

/** What is left of a mounted one once it answers. */
export async function settleEnvironment(options: ChangeOptions): Promise<void> {
  await settleRecovery(switchOptions(options));
}

/** Stores of one that lives which nobody serves, without touching any. */
export async function storesDownOf(options: ChangeOptions): Promise<string[]> {
  return await storesDown(switchOptions(options));
}

/** Of a recovery that is whole: its databases are restarted on plain folders. Resolves to the stores that stay mounted. */
export async function leaveMountsOf(options: ChangeOptions): Promise<string[]> {
  return await leaveHydrated(switchOptions(options));
}
