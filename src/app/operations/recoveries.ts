/** Recoveries through the API. Their folders hold the truth of them; here is what goes on at the moment. */
import type { Logger } from '#base';
import {
  type Choice,
  listRecoveries,
  loadRecovery,
  pauseHydration,
  type RecoveryState,
  startHydration,
} from '#recovery';
import type { Operations, RecoveryChange, RecoveryRequest, Scope } from '#server';
import { failureOf } from '../failure.ts';
import type { EnvironmentProtection } from '../protection/environment-protection.ts';
import { explained } from '../protection/keep-trying.ts';
import {
  changeRecovery,
  chooseForEnvironment,
  leaveMountsOf,
  recoverEnvironment,
  refuseUnacceptedSkew,
  resumeEnvironment,
} from '../recovery/index.ts';
import type { OperationsOptions } from './operations.ts';
import { PlannedChoices } from './planned-choices.ts';
import { plannedView, recoveryView, type ShownRun } from './recovery-view.ts';
import { whenOf } from './when.ts';

type Run = ShownRun & { ended: Promise<void>; stop: AbortController };

type RecoveryOperations = Pick<
  Operations,
  'recoveries' | 'recover' | 'recovery' | 'changeRecovery' | 'hydrateRecovery'
>;

export function recoveryOperations(options: OperationsOptions): RecoveryOperations {
  const { environments, state, log } = options;
  const runs = new Map<string, Run>();
  const planned = new PlannedChoices();
  const view = async (id: string) => {
    // Asked before its state is read: of a run that was over by then, what is read is the end.
    const isOver = runs.get(id)?.isOver ?? true;
    const state = await loadRecovery(options.state.recoveries, id);
    const run = runs.get(id);
    return await recoveryView(state, run && { ...run, isOver });
  };
  return {
    recoveries: async (scope: Scope) => {
      const begun = new Map([...runs].map(([id, run]) => [id, { ...run }]));
      const all = await listRecoveries(state.recoveries);
      const shown = all
        .filter(
          (one) =>
            (scope.environment ?? one.environment) === one.environment &&
            (scope.stage ?? one.stage) === one.stage,
        )
        .map((one) => recoveryView(one, begun.get(one.id)));
      return await Promise.all(shown);
    },
    recover: async (scope, request) => {
      const protection = environments.protected(scope);
      const shown = request.planned && planned.find(protection, request.planned);
      const choice = shown || (await choose(protection, request));
      if (request.dryRun) {
        return plannedView(protection, request, choice, planned.add(protection, choice));
      }
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
      await carryOut(change, changeOptions(options, recovered));
      const shown = await recoveryView(recovered, undefined);
      return change === 'remove' ? { ...shown, status: 'removed' } : shown;
    },
    hydrateRecovery: async (id, bytesPerSecond) => {
      const recovered = await loadRecovery(state.recoveries, id);
      const { environment } = changeOptions(options, recovered);
      const rate = bytesPerSecond ?? recovered.hydration?.bytesPerSecond;
      await startHydration(recovered, rate ?? environment.recovery.hydrationBytesPerSecond);
      return await view(id);
    },
  };
}

type Change = ReturnType<typeof changeOptions>;

/** Of one that lives on this host. */
export function changeOptions(
  { environments, log }: Pick<OperationsOptions, 'environments' | 'log'>,
  state: RecoveryState,
) {
  const { environment, stage } = state;
  const protection = environments.protected({ environment, stage });
  return {
    environment: protection.environment,
    state,
    log,
    progress: () => {},
    // A switch that began goes to its end, or on from where it was cut.
    signal: new AbortController().signal,
    repository: async () => protection.context.repository,
  };
}

async function carryOut(change: RecoveryChange, options: Change): Promise<void> {
  if (change === 'resume') await resumeEnvironment(options);
  else if (change === 'pause') await pauseHydration(options.state);
  else if (change === 'leave') await leaveMountsOf(options);
  else await changeRecovery(change, options);
}

async function giveUp(run: Run | undefined): Promise<void> {
  run?.stop.abort(new Error('it was removed while it was made'));
  await run?.ended;
}

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
  const run: Run = {
    ...{ ended: Promise.resolve(), isOver: false, stop },
    ...{ progress: undefined, failure: undefined },
  };
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
      Object.assign(run, { progress: undefined, isOver: true });
    },
    (error: unknown) => {
      Object.assign(run, { progress: undefined, isOver: true });
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
