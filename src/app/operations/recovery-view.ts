/** A recovery as the API shows it. */
import { type Progress, systemClock } from '#base';
import { type Choice, lifeOf, type RecoveryState } from '#recovery';
import type { Recovery, RecoveryRequest } from '#server';
import { errors } from '../errors.ts';
import { failureOf } from '../failure.ts';
import type { EnvironmentProtection } from '../protection/environment-protection.ts';
import { progressView } from './captures.ts';

/** What goes on with it at the moment, if anything. */
export type ShownRun = {
  isOver: boolean;
  progress: Progress | undefined;
  failure: Recovery['failure'] | undefined;
};

/** Asks whoever serves its mounts how far they are. */
export async function recoveryView(
  state: RecoveryState,
  run: ShownRun | undefined,
): Promise<Recovery> {
  const { hydration, unserved, troubles } = await lifeOf(state);
  const { id, environment, stage, inPlace, createdAtMs, instantMs, folder, title } = state;
  // It is up, and the switch that was asked for comes next: whoever waits for that must not take it for the end.
  const switches = inPlace && state.status === 'ready' && run?.isOver === false;
  const status = switches ? 'promoting' : state.status;
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
    ...(hydration && { hydration }),
    ...(unserved.length > 0 && { unserved }),
    ...(troubles && { troubles }),
    ...(run?.progress && { progress: progressView(run.progress) }),
    ...(failure && { failure }),
  };
}

export function plannedView(
  protection: EnvironmentProtection,
  request: RecoveryRequest,
  choice: Choice,
  id: string,
): Recovery {
  return {
    id,
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
