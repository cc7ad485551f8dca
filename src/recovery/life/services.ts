/** Services of a copy, started against its own stores. */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { ProgressListener } from '#base';
import type { Bindings, RecoveryState } from '../request.ts';
import type { Site } from '../site.ts';
import { saveState } from './state.ts';

export function bindingsOf(state: RecoveryState): Bindings {
  const stores = Object.entries(state.stores).map(
    ([name, { url, selection }]) => [name, { url, atMs: selection.atMs }] as const,
  );
  const services = state.services.map(({ name, url }) => [name, { url }] as const);
  return {
    stores: Object.fromEntries(stores),
    services: Object.fromEntries(services),
    scratch: path.join(state.folder, 'services'),
    muted: true,
  };
}

export type StartServicesOptions = {
  site: Pick<Site, 'services' | 'runtime'>;
  progress: ProgressListener;
  signal: AbortSignal;
};

/**
 * In the order given, which is that of their needs; one whose stores aren't recovered is left out. Those that the state
 * has already are left alone.
 */
export async function startServices(
  state: RecoveryState,
  { site, progress, signal }: StartServicesOptions,
): Promise<void> {
  await fs.mkdir(path.join(state.folder, 'services'), { recursive: true, mode: 0o700 });
  const recovered = new Set(Object.keys(state.stores));
  for (const service of site.services) {
    const running = state.services.map(({ name }) => name);
    const names = new Set([...recovered, ...running]);
    if (running.includes(service.name)) continue;
    if (!service.needs.every((need) => names.has(need))) continue;
    signal.throwIfAborted();
    progress({ step: `${service.name}: starting` });
    state.services.push(await site.runtime.start(service.name, bindingsOf(state)));
    await saveState(state);
  }
}
