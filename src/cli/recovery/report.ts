/** One object for `--json`, the same whether a server or this process recovered. */
import type { Choice, RecoverResult, RecoveryState } from '#recovery';

export function recoveryReport(state: RecoveryState, title?: string): Record<string, unknown> {
  const stores = Object.entries(state.stores).map(([store, entry]) => ({
    ...entry.selection,
    store,
    url: entry.url,
    directory: entry.directory,
    ...(entry.replaced === undefined ? {} : { replaced: entry.replaced }),
  }));
  return {
    id: state.id,
    environment: state.environment,
    stage: state.stage,
    status: state.status,
    inPlace: state.inPlace,
    createdAtMs: state.createdAtMs,
    instantMs: state.instantMs,
    ...(title === undefined ? {} : { title }),
    folder: state.folder,
    stores,
    services: state.services.map(({ name, url }) => ({ name, url })),
    checks: state.checks,
    phases: state.phases,
    bytesRead: state.bytesRead,
    ...(state.error === undefined ? {} : { error: state.error }),
  };
}

export function choiceReport(choice: Choice): Record<string, unknown> {
  return {
    status: 'planned',
    instantMs: choice.instantMs,
    title: choice.title,
    stores: choice.stores.map(({ selection }) => selection),
  };
}

export function resultReport(
  { state, problems }: RecoverResult,
  title: string,
): Record<string, unknown> {
  return { ...recoveryReport(state, title), problems };
}
