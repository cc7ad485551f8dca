/** Recoveries through the API. Their folders hold the truth of them; here is what goes on at the moment. */
import { type Logger, type Progress, systemClock } from '#base';
import { listRecoveries, loadRecovery, type RecoveryState } from '#recovery';
import type { Operations, Recovery, RecoveryRequest, Scope } from '#server';
import { errors } from '../errors.ts';
import { failureOf } from '../failure.ts';
import type { EnvironmentProtection } from '../protection/environment-protection.ts';
import { explained } from '../protection/keep-trying.ts';
import {
  changeRecovery,
  chooseForEnvironment,
  recoverEnvironment,
  refuseUnacceptedSkew,
} from '../recovery/index.ts';
import { progressView } from './captures.ts';
import type { OperationsOptions } from './operations.ts';
import { whenOf } from './when.ts';

type Run = {
  ended: Promise<void>;
  progress: Progress | undefined;
  failure: Recovery['failure'] | undefined;
  stop: AbortController;
};

type RecoveryOperations = Pick<
  Operations,
  'recoveries' | 'recover' | 'recovery' | 'changeRecovery'
>;

export function recoveryOperations(options: OperationsOptions): RecoveryOperations {
  const { environments, state, log } = options;
  const runs = new Map<string, Run>();
  const view = async (id: string) =>
    recoveryView(await loadRecovery(state.recoveries, id), runs.get(id));
  return {
    recoveries: async (scope: Scope) => {
      const all = await listRecoveries(state.recoveries);
      return all
        .filter(
          (one) =>
            (scope.environment ?? one.environment) === one.environment &&
            (scope.stage ?? one.stage) === one.stage,
        )
        .map((one) => recoveryView(one, runs.get(one.id)));
    },
    recover: async (scope, request) => {
      const protection = environments.protected(scope);
      const choice = await choose(protection, request);
      if (request.dryRun) return plannedView(protection, request, choice);
      refuseUnacceptedSkew(choice, request.accept);
      const id = await begin(protection, request, choice, { root: state.recoveries, runs, log });
      return view(id);
    },
    recovery: async (id, waitMs) => {
      const run = runs.get(id);
      if (run && waitMs > 0) await Promise.race([run.ended, elapsed(waitMs)]);
      return view(id);
    },
    changeRecovery: async (id, change) => {
      // What is being made is given up first: nothing may go on in what is taken away.
      if (change === 'remove') await giveUp(runs.get(id));
      const recovered = await loadRecovery(state.recoveries, id);
      const { environment, stage } = recovered;
      const changed = await changeRecovery(change, {
        environment: environments.protected({ environment, stage }).environment,
        state: recovered,
        log,
        progress: () => {},
        signal: new AbortController().signal,
      });
      const shown = recoveryView(changed, undefined);
      return change === 'remove' ? { ...shown, status: 'removed' } : shown;
    },
  };
}

async function giveUp(run: Run | undefined): Promise<void> {
  run?.stop.abort(new Error('it was removed while it was made'));
  await run?.ended;
}

type Choice = Awaited<ReturnType<typeof chooseForEnvironment>>;

async function choose(
  protection: EnvironmentProtection,
  request: RecoveryRequest,
): Promise<Choice> {
  const unchanged: [string, number][] = [];
  for (const [name, store] of protection.stores) {
    await store.journal?.noteWatermark();
    const { unchangedThroughMs } = store;
    if (store.watched && !store.trouble && unchangedThroughMs !== undefined) {
      unchanged.push([name, unchangedThroughMs]);
    }
  }
  return chooseForEnvironment({
    environment: protection.environment,
    repository: protection.context.repository,
    when: whenOf(request.to),
    ...(request.stores === undefined ? {} : { stores: request.stores }),
    ...(request.timeline === undefined ? {} : { line: request.timeline }),
    spoolFolder: (store) => protection.stores.get(store)?.journal?.spoolFolder,
    unchangedUntilMs: Object.fromEntries(unchanged),
  });
}

/** Resolves to the id as soon as it has one. Rejects where it ended before that. */
function begin(
  protection: EnvironmentProtection,
  request: RecoveryRequest,
  choice: Choice,
  site: { root: string; runs: Map<string, Run>; log: Logger },
): Promise<string> {
  const begun = Promise.withResolvers<string>();
  const stop = new AbortController();
  const run: Run = { ended: Promise.resolve(), progress: undefined, failure: undefined, stop };
  const work = protection.context.activity.during('a recovery', () =>
    recoverEnvironment({
      environment: protection.environment,
      repository: protection.context.repository,
      choice,
      root: site.root,
      inPlace: request.inPlace,
      full: request.full,
      ...(request.owner === undefined ? {} : { owner: request.owner }),
      log: site.log,
      progress: (progress) => {
        run.progress = progress;
      },
      signal: AbortSignal.any([protection.stopping, stop.signal]),
      onBegun: ({ id }) => {
        site.runs.set(id, run);
        begun.resolve(id);
      },
    }),
  );
  run.ended = work.then(
    () => {
      run.progress = undefined;
    },
    (error: unknown) => {
      run.progress = undefined;
      run.failure = failureOf(error);
      site.log.warn({ what: explained(error).what }, 'recovery failed');
      begun.reject(error);
    },
  );
  return begun.promise;
}

function elapsed(waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, waitMs).unref();
  });
}

function recoveryView(state: RecoveryState, run: Run | undefined): Recovery {
  const { id, environment, stage, status, inPlace, createdAtMs, instantMs, folder, title } = state;
  const stores = Object.values(state.stores).map(
    ({ selection, url, urlFile, directory, replaced, mounted }) => ({
      ...selectionView(selection),
      ...{ url, directory },
      ...(urlFile === undefined ? {} : { urlFile }),
      ...(replaced === undefined ? {} : { replaced }),
      ...(mounted && { isMounted: true }),
    }),
  );
  const failure =
    run?.failure ??
    (state.error === undefined ? undefined : failureOf(errors.recoveryFailed([state.error])));
  return {
    ...{ id, environment, stage, status, inPlace, createdAtMs, instantMs, title, folder, stores },
    services: state.services.map(({ name, url }) => ({ name, url })),
    checks: state.checks,
    phases: state.phases,
    bytesRead: state.bytesRead,
    ...(state.notMounted === undefined ? {} : { notMounted: state.notMounted }),
    ...(run?.progress && { progress: progressView(run.progress) }),
    ...(failure && { failure }),
  };
}

function plannedView(
  protection: EnvironmentProtection,
  request: RecoveryRequest,
  choice: Choice,
): Recovery {
  return {
    id: '',
    environment: protection.environment.name,
    stage: protection.environment.stage,
    status: 'planned',
    inPlace: request.inPlace,
    createdAtMs: systemClock.nowMs(),
    instantMs: choice.instantMs,
    title: choice.title,
    stores: choice.stores.map(({ selection }) => selectionView(selection)),
    services: [],
    checks: [],
    phases: [],
    bytesRead: 0,
  };
}

function selectionView({
  leftBehind,
  position,
  notes,
  ...selection
}: Choice['stores'][number]['selection']) {
  return {
    ...selection,
    ...(leftBehind === undefined ? {} : { leftBehind }),
    ...(position === undefined ? {} : { position }),
    ...(notes === undefined ? {} : { notes }),
  };
}
