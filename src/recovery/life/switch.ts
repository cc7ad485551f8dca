/**
 * Putting a recovery in production's place, and back. The exchange of folders is two renames per store, each noted
 * before it is made, so that a repeated call goes on where a crash cut it.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import {
  entryExists,
  type Logger,
  messageOf,
  type ProgressListener,
  sleepMs,
  syncFileSystem,
  systemClock,
} from '#base';
import type { Source, SourceContext } from '#sources';
import { errors } from '../errors.ts';
import type { RecoveryState } from '../request.ts';
import type { ProductionStore, Site } from '../site.ts';
import { alone } from './alone.ts';
import { type CrashPoint, noCrash } from './crash-point.ts';
import { removeRecoveryFolder } from './folder.ts';
import { hydrateStores, leaveMounts, unmountStores } from './mounted-store.ts';
import { awaitsMove, clearMoves, giveUpMove, move } from './move.ts';
import { servicesFolder } from './services.ts';
import { saveState } from './state.ts';

export type SwitchOptions = {
  state: RecoveryState;
  site: Site;
  /** By store. */
  sources: Record<string, Source>;
  log: Logger;
  progress: ProgressListener;
  signal: AbortSignal;
  crashPoint?: CrashPoint;
};

type StoreName = string;

/** Where a store's production is found: as the recovery noted it, else as the site says. */
type Place = { site: Site; state: Pick<RecoveryState, 'stores'> };

function productionOf(
  { site, state }: Place,
  store: StoreName,
): ProductionStore & { directory: string } {
  const production = site.production.stores[store];
  const directory = state.stores[store]?.home ?? production?.directory;
  if (!production || !directory) throw errors.noProduction([store]);
  if (production.needsControl && !production.control) throw errors.noControl([store]);
  return { ...production, directory };
}

/** Everything that would stop a switch half way is refused before anything is touched. */
export async function refuseUnswitchable(
  place: Place,
  stores: readonly StoreName[],
): Promise<void> {
  for (const store of stores) {
    const { directory } = productionOf(place, store);
    if (await isMountPoint(directory)) throw errors.homeIsMounted([store, directory]);
  }
  for (const { name, control } of place.site.production.services) {
    if (!control) throw errors.noControl([name]);
  }
}

/** Such a folder can't be renamed, so nothing can take its place. */
async function isMountPoint(directory: string): Promise<boolean> {
  if (!(await entryExists(directory))) return false;
  const [own, parent] = await Promise.all([fs.lstat(directory), fs.lstat(path.dirname(directory))]);
  return own.dev !== parent.dev;
}

const STOPPED_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 100;

/** A stop command that only seems to have stopped it must not get its data taken away under it. */
async function assertStopped(options: SwitchOptions, store: StoreName): Promise<void> {
  const { directory } = productionOf(options, store);
  const deadlineMs = systemClock.monotonicMs() + STOPPED_WITHIN_MS;
  while (await options.sources[store]?.inUse?.(directory)) {
    if (systemClock.monotonicMs() > deadlineMs) throw errors.stillInUse([store, directory]);
    await sleepMs(LOOK_EVERY_MS, options.signal);
  }
}

async function stopProduction(options: SwitchOptions): Promise<void> {
  for (const { name, control } of options.site.production.services.toReversed()) {
    options.progress({ step: `stopping ${name} in production` });
    await control?.stop();
  }
  for (const store of Object.keys(options.state.stores)) {
    options.progress({ step: `stopping ${store} in production` });
    await productionOf(options, store).control?.stop();
    await assertStopped(options, store);
  }
}

async function startProduction(options: SwitchOptions): Promise<void> {
  for (const store of Object.keys(options.state.stores)) {
    options.progress({ step: `starting ${store}` });
    const { directory, control } = productionOf(options, store);
    // An undo may leave it empty, as it was.
    if (await entryExists(directory)) await control?.start();
  }
  for (const { name, control } of options.site.production.services) {
    options.progress({ step: `starting ${name}` });
    await control?.start();
  }
}

/** What sources are called with. */
export type StoreOptions = Pick<SwitchOptions, 'state' | 'sources' | 'log' | 'progress' | 'signal'>;

/** Of one store of a recovery that lives. */
export function contextFor(options: StoreOptions, store: StoreName): SourceContext {
  const { log, progress, signal, state } = options;
  return {
    log: log.child({ store }),
    progress,
    signal,
    stateFolder: path.join(state.folder, store, 'scratch'),
  };
}

/** Ends the copy's own processes; its data stays. Idempotent. */
export async function stopCopy(options: SwitchOptions): Promise<void> {
  const { state, site } = options;
  for (const service of state.services.toReversed()) await site.runtime.stop(service);
  // What was being started when its maker was killed is noted nowhere.
  await site.runtime.stopAll(servicesFolder(state));
  for (const [store, { directory }] of Object.entries(state.stores)) {
    await options.sources[store]?.stop?.(directory, contextFor(options, store));
  }
}

/** Puts the copy where production's data lies; what was there is kept beside it. Goes on after a crash. */
async function exchange(options: SwitchOptions, store: StoreName): Promise<void> {
  const { state } = options;
  const entry = state.stores[store];
  const { directory } = productionOf(options, store);
  if (!entry) return;
  await options.sources[store]?.settle?.(
    {
      directory: entry.directory,
      scratch: path.join(state.folder, store, 'scratch'),
      home: directory,
    },
    contextFor(options, store),
  );
  const { crashPoint = noCrash } = options;
  // Only the copy tells whether what lies there is production's still: where nothing lay, nothing is put aside.
  if (await awaitsMove(entry.directory, directory)) {
    entry.replaced = `${directory}.replaced-${state.id}`;
    await saveState(state);
    crashPoint('switch/noted');
    if (!(await entryExists(entry.replaced)) && (await entryExists(directory)))
      await move(directory, entry.replaced, crashPoint);
    crashPoint('switch/production-aside');
    // A restore leaves its bytes to the kernel; what becomes production must be on the disk.
    if (await entryExists(entry.directory)) await syncFileSystem(entry.directory);
    await move(entry.directory, directory, crashPoint);
  }
  crashPoint('switch/copy-in-place');
  await clearMoves(entry.directory, directory);
}

/** Where nothing lay in production's place, nothing lies there again. */
async function exchangeBack(options: SwitchOptions, store: StoreName): Promise<void> {
  const { state } = options;
  const entry = state.stores[store];
  const { directory } = productionOf(options, store);
  // Noted before anything of it is moved.
  if (!entry?.replaced) return;
  const { crashPoint = noCrash } = options;
  await giveUpMove(entry.directory, directory);
  if (!(await entryExists(entry.directory))) await move(directory, entry.directory, crashPoint);
  crashPoint('undo/copy-back');
  if (await entryExists(entry.replaced)) await move(entry.replaced, directory, crashPoint);
  crashPoint('undo/production-back');
  await clearMoves(entry.directory, directory);
}

/**
 * The recovery becomes production: its copy is stopped, production is stopped by its own controls, folders are
 * exchanged, production is started on them. What is replaced stays as `<folder>.replaced-<id>`.
 * May be repeated after a crash. Throws `recovery/wrong-status`, `recovery/no-control`, `recovery/no-production`.
 */
export function promoteRecovery(options: SwitchOptions): Promise<RecoveryState> {
  return alone(options.state, () => promote(options));
}

async function promote(options: SwitchOptions): Promise<RecoveryState> {
  const { state, crashPoint = noCrash } = options;
  if (!['ready', 'checks-failed', 'promoting'].includes(state.status)) {
    throw errors.wrongStatus([state.id, state.status, 'ready']);
  }
  await refuseUnswitchable(options, Object.keys(state.stores));
  const begun = systemClock.monotonicMs();
  // May take long, and touches nothing: given up here, the recovery is what it was.
  await hydrateStores(state, options);
  delete state.hydration;
  return await switching(options, 'promoting', async () => {
    crashPoint('switch/begun');
    await stopCopy(options);
    crashPoint('switch/copy-stopped');
    await leaveMounts(state, { crashPoint, forced: () => true });
    await stopProduction(options);
    crashPoint('switch/production-stopped');
    for (const store of Object.keys(state.stores)) await exchange(options, store);
    await startProduction(options);
    crashPoint('switch/started');
    state.status = 'promoted';
    state.services = [];
    state.phases.push({ phase: 'switch', tookMs: Math.round(systemClock.monotonicMs() - begun) });
  });
}

/** Takes a promotion back: production runs again on what was replaced; the recovery's data returns to its folder. */
export function undoRecovery(options: SwitchOptions): Promise<RecoveryState> {
  return alone(options.state, () => undo(options));
}

async function undo(options: SwitchOptions): Promise<RecoveryState> {
  const { state, crashPoint = noCrash } = options;
  if (!['promoted', 'promoting', 'undoing'].includes(state.status)) {
    throw errors.wrongStatus([state.id, state.status, 'promoted']);
  }
  await refuseUnswitchable(options, Object.keys(state.stores));
  return await switching(options, 'undoing', async () => {
    crashPoint('undo/begun');
    await stopProduction(options);
    crashPoint('undo/production-stopped');
    for (const store of Object.keys(state.stores)) await exchangeBack(options, store);
    await startProduction(options);
    crashPoint('undo/started');
    state.status = 'undone';
  });
}

/**
 * What failed is noted and waits for a person, who sees why; what was only cut goes on by itself where a control plane
 * runs.
 */
async function switching(
  { state }: SwitchOptions,
  status: 'promoting' | 'undoing',
  work: () => Promise<void>,
): Promise<RecoveryState> {
  state.status = status;
  delete state.error;
  await saveState(state);
  try {
    await work();
  } catch (error) {
    state.error = messageOf(error);
    await saveState(state);
    throw error;
  }
  await saveState(state);
  return state;
}

/** Takes a recovery away with all it started; of a promoted one, what it replaced. Idempotent. */
export function removeRecovery(options: SwitchOptions): Promise<void> {
  return alone(options.state, () => remove(options));
}

async function remove(options: SwitchOptions): Promise<void> {
  const { state, crashPoint = noCrash } = options;
  if (state.status === 'promoting' || state.status === 'undoing') {
    throw errors.wrongStatus([state.id, state.status, 'not in the middle of a switch']);
  }
  // From here on nothing brings it back: what a promotion replaced may be gone in part.
  state.status = 'removing';
  await saveState(state);
  crashPoint('remove/noted');
  await stopCopy(options);
  crashPoint('remove/stopped');
  await unmountStores(state);
  crashPoint('remove/unmounted');
  for (const { replaced } of Object.values(state.stores)) {
    if (replaced !== undefined) await fs.rm(replaced, { recursive: true, force: true });
  }
  crashPoint('remove/replaced-gone');
  await removeRecoveryFolder(state, crashPoint);
}
