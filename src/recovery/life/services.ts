/** Services of a copy, started against its own stores. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { type ProgressListener, settleAll } from '#base';
import type { Bindings, RecoveryServices, RecoveryState, RunningService } from '../request.ts';
import type { Site } from '../site.ts';
import { saveState } from './state.ts';

export const servicesFolder = ({ folder }: Pick<RecoveryState, 'folder'>) =>
  path.join(folder, 'services');

export function bindingsOf(state: RecoveryState): Bindings {
  const stores = Object.entries(state.stores).map(
    ([name, { url, selection }]) => [name, { url, atMs: selection.atMs }] as const,
  );
  const services = state.services.map(({ name, url }) => [name, { url }] as const);
  return {
    stores: Object.fromEntries(stores),
    services: Object.fromEntries(services),
    scratch: servicesFolder(state),
    muted: true,
  };
}

export type StartServicesOptions = {
  site: Pick<Site, 'services' | 'runtime'>;
  progress: ProgressListener;
  signal: AbortSignal;
};

/**
 * Each as soon as those before it are up that it needs or is told the address of; one whose stores aren't recovered is left
 * out. Those that the state has already are left alone. Waits for all that were begun before it throws the first failure.
 */
export async function startServices(
  state: RecoveryState,
  { site, progress, signal }: StartServicesOptions,
): Promise<void> {
  await fs.mkdir(servicesFolder(state), { recursive: true, mode: 0o700 });
  const order = site.services.map(({ name }) => name);
  const begun = new Map<string, Promise<void>>();
  let noted = Promise.resolve();
  const note = (running: RunningService): Promise<void> => {
    state.services.push(running);
    state.services.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
    // One after another: what is noted last must hold all of them.
    noted = noted.then(() => saveState(state));
    return noted;
  };
  const start = async ({ name, needs, mentions }: RecoveryServices[number]) => {
    await Promise.all([...needs, ...mentions].map((before) => begun.get(before)));
    const running = state.services.map((service) => service.name);
    const known = new Set([...Object.keys(state.stores), ...running]);
    if (running.includes(name) || !needs.every((need) => known.has(need))) return;
    signal.throwIfAborted();
    progress({ step: `${name}: starting` });
    await note(await site.runtime.start(name, bindingsOf(state)));
  };
  for (const service of site.services) begun.set(service.name, start(service));
  await settleAll([...begun.values()]);
}
