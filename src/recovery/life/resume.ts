/**
 * A recovery brought up again as its state says: after this host was started anew, after its mounts lost the process that
 * served them, after it was stopped in the middle of leaving them.
 */
import { errors } from '../errors.ts';
import { detachDeadMounts, type MountClient } from '../mount/index.ts';
import type { RecoveryState } from '../request.ts';
import { alone } from './alone.ts';
import { keepHydrating, leave } from './hydration.ts';
import { mountAgain, unservedStores } from './mounted-store.ts';
import { startServices } from './services.ts';
import { checkpointStores, noteSettled } from './settle.ts';
import { startStoreAgain } from './start-again.ts';
import { LIVES } from './state.ts';
import { contextFor, type SwitchOptions } from './switch.ts';

export type ResumeOptions = SwitchOptions & {
  /** Asked for only where something must be mounted: opening a repository may take long. */
  mounts(): Promise<MountClient>;
};

/** What was brought up, by name; nothing where all of it ran. */
export type Resumed = { mounted: string[]; started: string[]; services: string[] };

/**
 * Idempotent, and goes on after a crash. What ran well is left alone. Throws `recovery/wrong-status`,
 * `recovery/mount-unknown`, `recovery/lost-with-host`.
 */
export function resumeRecovery(options: ResumeOptions): Promise<Resumed> {
  return alone(options.state, () => resume(options));
}

/** Stores of a recovery that should run and don't, without touching any. */
export async function storesDown({
  state,
  sources,
}: Pick<SwitchOptions, 'state' | 'sources'>): Promise<string[]> {
  const down = new Set(await unservedStores(state));
  for (const [store, { directory }] of Object.entries(state.stores)) {
    // To look into a mount that nobody serves would only fail.
    if (down.has(store)) continue;
    if ((await sources[store]?.inUse?.(directory)) === false) down.add(store);
  }
  return [...down];
}

async function resume(options: ResumeOptions): Promise<Resumed> {
  const { state, sources } = options;
  if (!LIVES.includes(state.status)) {
    throw errors.wrongStatus([state.id, state.status, 'ready']);
  }
  await detachDeadMounts(state.folder);
  const unserved = await unservedStores(state);
  for (const store of unserved) await mountStoreAgain(options, store);
  if (state.hydration?.state === 'leaving') await leave(options);
  const down = await storesDown({ state, sources });
  for (const store of down) await startStoreAgain(options, store);
  const touched = new Set([...unserved, ...down]);
  const services = await startServicesAgain(options, touched.size > 0);
  await checkpointStores(options);
  await noteSettled(options);
  await keepHydrating(state);
  return { mounted: unserved, started: down, services };
}

/** A server that lost its files under it is ended first: it would go on with what it still has of them. */
async function mountStoreAgain(options: ResumeOptions, store: string): Promise<void> {
  const { state, sources, progress, signal } = options;
  const { directory } = state.stores[store] as RecoveryState['stores'][string];
  progress({ step: `${store}: mounting again` });
  await sources[store]?.stop?.(directory, contextFor(options, store));
  await mountAgain(await options.mounts(), state, store, signal);
}

/** Those that ended; all of them where a store they may need was brought up again. */
async function startServicesAgain(options: ResumeOptions, all: boolean): Promise<string[]> {
  const { state, site } = options;
  const ended: string[] = [];
  for (const service of state.services.toReversed()) {
    if (!all && (await site.runtime.isRunning(service))) continue;
    await site.runtime.stop(service);
    ended.push(service.name);
  }
  if (ended.length === 0) return [];
  state.services = state.services.filter(({ name }) => !ended.includes(name));
  await startServices(state, options);
  return ended.toReversed();
}
