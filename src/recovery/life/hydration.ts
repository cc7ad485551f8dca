/**
 * From a mounted recovery to one that stands on its own, while it is used: the rest is brought here in the background, then
 * its databases are restarted once, on plain folders that take the place of the mounts.
 */
import { systemClock } from '#base';
import { errors } from '../errors.ts';
import { type MountShown, mountControl } from '../mount/index.ts';
import type { MountedStore, RecoveryState } from '../request.ts';
import { alone } from './alone.ts';
import { noCrash } from './crash-point.ts';
import { isCut } from './go-on.ts';
import { leaveMounts, shownMounts, unservedStores } from './mounted-store.ts';
import { startStoreAgain } from './start-again.ts';
import { LIVES, saveState } from './state.ts';
import { contextFor, type SwitchOptions } from './switch.ts';

/** Of a recovery, where nothing else is said: what a disk gives beside its other work. */
export const HYDRATION_BYTES_PER_SECOND = 64 * 1024 * 1024;

/** Between the announcement and the restart, where nobody asked for it and waits. */
export const LEAVE_NOTICE_MS = 60_000;

const TROUBLES_SHOWN = 3;

/** All mounts of one recovery together. */
export type HydrationProgressShown = {
  state: 'waiting' | 'running' | 'paused' | 'done' | 'failed';
  presentBytes: number;
  totalBytes: number;
  bytesPerSecond?: number;
  remainingMs?: number;
  failure?: string;
};

/**
 * Undefined where nothing of it is mounted. A mount that nobody serves counts as not here. `known`: what the services said
 * just now.
 */
export async function hydrationOf(
  state: RecoveryState,
  known?: readonly MountShown[],
): Promise<HydrationProgressShown | undefined> {
  if (!mountedEntries(state).length) return undefined;
  const shown = known ?? (await shownMounts(state));
  const sum = (of: (one: MountShown) => number) => shown.reduce((all, one) => all + of(one), 0);
  const kinds = new Set(shown.map(({ hydration }) => hydration.state));
  const failure = shown.find(({ hydration }) => hydration.failure !== undefined)?.hydration.failure;
  const isDone =
    shown.length === mountedEntries(state).length && kinds.size === 1 && kinds.has('done');
  const remaining = shown.map(({ hydration }) => hydration.remainingMs ?? 0);
  const rate = state.hydration?.bytesPerSecond;
  return {
    state: isDone ? 'done' : failure !== undefined ? 'failed' : wantedOf(state),
    presentBytes: sum(({ presentBytes }) => presentBytes),
    totalBytes: sum(({ totalBytes }) => totalBytes),
    ...(rate === undefined ? {} : { bytesPerSecond: rate }),
    ...(Math.max(0, ...remaining) > 0 ? { remainingMs: Math.max(...remaining) } : {}),
    ...(failure === undefined ? {} : { failure }),
  };
}

function wantedOf({ hydration }: RecoveryState): HydrationProgressShown['state'] {
  if (!hydration) return 'waiting';
  return hydration.state === 'paused' ? 'paused' : 'running';
}

/** Begins, goes on, or changes the rate; noted, so that it goes on after whatever ends its process. */
export function startHydration(state: RecoveryState, bytesPerSecond: number): Promise<void> {
  return alone(state, async () => {
    refuseUnlessMounted(state);
    state.hydration = { state: 'running', bytesPerSecond };
    await saveState(state);
    await keepHydrating(state);
  });
}

export function pauseHydration(state: RecoveryState): Promise<void> {
  return alone(state, async () => {
    refuseUnlessMounted(state);
    state.hydration = { ...state.hydration, state: 'paused' };
    await saveState(state);
    for (const { directory, mounted } of mountedEntries(state)) {
      await mountControl(mounted.service).pauseHydrating(directory);
    }
  });
}

/** As the state says, shared by those mounts that aren't done. */
export async function keepHydrating(state: RecoveryState): Promise<void> {
  const { hydration } = state;
  if (hydration?.state !== 'running') return;
  const shown = new Map((await shownMounts(state)).map((one) => [one.mountPoint, one]));
  const open = mountedEntries(state).filter(
    ({ directory }) => shown.get(directory)?.hydration.state !== 'done',
  );
  const share =
    hydration.bytesPerSecond === undefined
      ? undefined
      : Math.max(1, Math.floor(hydration.bytesPerSecond / open.length));
  for (const { directory, mounted } of open) {
    await mountControl(mounted.service).keepHydrating(directory, share);
  }
}

/** Shown by `recovery list`; whoever tends the recovery leaves the mounts then. */
export function announceLeaving(state: RecoveryState): Promise<void> {
  return alone(state, async () => {
    if (state.hydration?.state !== 'running') return;
    state.hydration.leaveAtMs = systemClock.nowMs() + LEAVE_NOTICE_MS;
    await saveState(state);
  });
}

/**
 * With all of it here: databases write out what they hold, are stopped, and run again on plain folders, seconds later;
 * their connections drop. A folder that a program has open stays mounted: resolves to these stores, and may be called
 * again.
 */
export function leaveHydrated(options: SwitchOptions): Promise<string[]> {
  return alone(options.state, () => leave(options));
}

export async function leave(options: SwitchOptions): Promise<string[]> {
  const { state, sources, progress, crashPoint = noCrash } = options;
  if (state.hydration?.state !== 'leaving') {
    await assertWhole(state);
    for (const { mounted } of mountedEntries(state)) mounted.isWhole = true;
    const { bytesPerSecond } = state.hydration ?? {};
    state.hydration = {
      state: 'leaving',
      ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
    };
    await saveState(state);
  }
  crashPoint('leave/noted');
  const stores = Object.entries(state.stores).filter(([, { mounted }]) => mounted);
  for (const [store, { directory }] of stores) {
    progress({ step: `${store}: writing out what it holds` });
    await sources[store]?.checkpoint?.(directory, contextFor(options, store));
  }
  for (const [store, { directory }] of stores) {
    progress({ step: `${store}: restarting it once` });
    await sources[store]?.stop?.(directory, contextFor(options, store));
  }
  crashPoint('leave/stopped');
  const servers = new Set(stores.map(([store]) => store).filter((store) => sources[store]?.stop));
  const inUse = await leaveMounts(state, { crashPoint, forced: (store) => servers.has(store) });
  for (const store of servers) await startStoreAgain(options, store);
  crashPoint('leave/started');
  delete state.hydration;
  delete state.isUnsettled;
  if (inUse.length === 0) state.isDurable = true;
  await saveState(state);
  return inUse;
}

/** Where a part is still missing, the folder that would take the place of the mount has holes. */
async function assertWhole(state: RecoveryState): Promise<void> {
  const shown = await shownMounts(state);
  for (const [store, { directory, mounted }] of Object.entries(state.stores)) {
    if (!mounted || mounted.isWhole) continue;
    const one = shown.find(({ mountPoint }) => mountPoint === directory);
    if (one?.hydration.state !== 'done') throw errors.notWhole([state.id, store]);
  }
}

function refuseUnlessMounted(state: RecoveryState): void {
  if (mountedEntries(state).length === 0) throw errors.standsAlone([state.id]);
  if (!LIVES.includes(state.status)) throw errors.wrongStatus([state.id, state.status, 'ready']);
}

type MountedEntry = RecoveryState['stores'][string] & { mounted: MountedStore };

function mountedEntries(state: RecoveryState): MountedEntry[] {
  return Object.values(state.stores).filter((entry): entry is MountedEntry =>
    Boolean(entry.mounted),
  );
}

/** What can be seen of a recovery besides its state. */
export type RecoveryLife = {
  hydration?: HydrationProgressShown & { leaveAtMs?: number };
  /** Stores whose mount nobody serves: `resumeRecovery` brings them back. */
  unserved: string[];
  /** What went wrong where something was read or kept, in words; the newest, and each once. */
  troubles?: string[];
  /** It was being made, switched or removed, and who was at it has ended. */
  isCut?: true;
};

export async function lifeOf(state: RecoveryState): Promise<RecoveryLife> {
  if (!LIVES.includes(state.status)) {
    return { unserved: [], ...((await isCut(state)) && { isCut: true }) };
  }
  const shown = await shownMounts(state);
  const hydration = await hydrationOf(state, shown);
  const { leaveAtMs } = state.hydration ?? {};
  const failures = shown.flatMap((one) => one.failures);
  const troubles = [...new Set(failures)].slice(-TROUBLES_SHOWN);
  return {
    ...(hydration && {
      hydration: { ...hydration, ...(leaveAtMs === undefined ? {} : { leaveAtMs }) },
    }),
    unserved: await unservedStores(state, shown),
    ...(troubles.length > 0 && { troubles }),
  };
}
