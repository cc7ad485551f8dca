/** One recovery beside production, from the empty folder to checked services. */
import fs from 'node:fs/promises';
import path from 'node:path';
import {
  formatSize,
  type Logger,
  messageOf,
  type ProgressListener,
  settleAll,
  syncFileSystem,
  systemClock,
  writeFileDurably,
} from '#base';
import type { Repository, RootMetadata } from '#repository';
import type { SourceContext } from '#sources';
import { outcomeOf } from '../choose/choose.ts';
import type { Choice, ChosenStore } from '../choose/request.ts';
import { errors } from '../errors.ts';
import type { MountClient } from '../mount/index.ts';
import type { RecoveryPhase, RecoveryState } from '../request.ts';
import { type RestoreProblem, restoreTree } from '../restore/index.ts';
import type { Site } from '../site.ts';
import { type CrashPoint, noCrash } from './crash-point.ts';
import { makeRecoveryFolder } from './folder.ts';
import { mountedBytesRead, mountStore, unmountStores } from './mounted-store.ts';
import { bindingsOf, startServices } from './services.ts';
import { checkpointStores, sourcesOf } from './settle.ts';
import { saveState } from './state.ts';

export type RecoverOptions = {
  repository: Repository;
  environment: string;
  stage: string;
  choice: Choice;
  site: Site;
  /** Folder that holds this host's recoveries. */
  root: string;
  /** Operating system user that owns what is recovered. */
  owner?: string;
  inPlace: boolean;
  /** Stores are mounted and come as they are touched; without this, all of them is written out first. */
  mounts?: MountClient;
  /** Why it isn't mounted though it was to be, in words. */
  notMounted?: string;
  log: Logger;
  progress: ProgressListener;
  signal: AbortSignal;
  /** Called once its folder and state are there: from then on it has an id and can be listed. */
  onBegun?: (state: RecoveryState) => void;
  crashPoint?: CrashPoint;
};

/** What was too little of a store to be called whole. */
export type RecoverResult = {
  state: RecoveryState;
  problems: { store: string; path: string; what: string }[];
};

/**
 * Resolves as soon as it answers. Of a mounted one `settleRecovery` is due then, soon.
 * Throws what stopped it; the folder then holds a state that says so, and `removeRecovery` takes it away.
 */
export async function recoverBeside(options: RecoverOptions): Promise<RecoverResult> {
  await fs.mkdir(options.root, { recursive: true, mode: 0o711 });
  await refuseWithoutSpace(options);
  const begin = (place: Place) => beginningOf(place, options);
  const { state, lock } = await makeRecoveryFolder(options.root, begin, options.crashPoint);
  try {
    options.onBegun?.(state);
    return await bringUpOrLeave(state, options);
  } finally {
    await lock.release();
  }
}

async function bringUpOrLeave(
  state: RecoveryState,
  options: RecoverOptions,
): Promise<RecoverResult> {
  try {
    const problems = await bringUp(state, options);
    return { state, problems };
  } catch (error) {
    state.status = 'failed';
    state.error = messageOf(error);
    await saveState(state);
    // Half an environment is of no use; one that is up stays for whoever looks for what its services lack.
    if (!state.phases.some(({ phase }) => phase === 'journal')) await leaveStores(state, options);
    throw error;
  }
}

/** Nothing of its stores goes on running; what they hold on disk stays. */
async function leaveStores(state: RecoveryState, options: RecoverOptions): Promise<void> {
  try {
    for (const { store } of options.choice.stores) {
      const { directory } = foldersOf(state, store.name);
      await store.source.stop?.(directory, contextFor(state, store.name, options));
    }
    await unmountStores(state);
  } catch (error) {
    // What stopped the recovery is what is told; `removeRecovery` tries this again.
    options.log.warn({ recovery: state.id, what: messageOf(error) }, 'not all of it was stopped');
  }
}

type Place = Pick<RecoveryState, 'id' | 'folder'>;

/** Noted before anything of them starts, so that whoever takes it away knows where to look. */
function beginningOf({ id, folder }: Place, options: RecoverOptions): RecoveryState {
  const { environment, stage, inPlace, choice, notMounted, site } = options;
  const stores = choice.stores.map(({ store, selection }) => {
    const home = site.production.stores[store.name]?.directory;
    const { directory } = foldersOf({ folder }, store.name);
    const entry = { selection, directory, url: '', ...(home === undefined ? {} : { home }) };
    return [store.name, entry] as const;
  });
  return {
    ...{ id, environment, stage, inPlace, folder },
    status: 'recovering',
    createdAtMs: systemClock.nowMs(),
    instantMs: choice.instantMs,
    title: choice.title,
    stores: Object.fromEntries(stores),
    services: [],
    checks: [],
    phases: [],
    bytesRead: 0,
    ...(notMounted === undefined ? {} : { notMounted }),
  };
}

async function refuseWithoutSpace({ root, choice, mounts }: RecoverOptions): Promise<void> {
  if (mounts) return;
  const needed = choice.stores.reduce((sum, chosen) => sum + chosen.selection.bytes, 0);
  const { bavail, bsize } = await fs.statfs(root);
  if (bavail * bsize >= needed) return;
  throw errors.notEnoughSpace([root, formatSize(needed), formatSize(bavail * bsize)]);
}

async function bringUp(
  state: RecoveryState,
  options: RecoverOptions,
): Promise<RecoverResult['problems']> {
  const { crashPoint = noCrash } = options;
  await options.repository.loadIndex();
  const problems: RecoverResult['problems'] = [];
  await phase(state, 'data', async () => {
    const restored = options.choice.stores.map((chosen) => restoreStore(state, chosen, options));
    problems.push(...(await settleAll(restored)).flat());
    crashPoint('create/data');
  });
  await phase(state, 'journal', async () => {
    await settleAll(options.choice.stores.map((chosen) => startStore(state, chosen, options)));
    crashPoint('create/journal');
  });
  await phase(state, 'services', async () => {
    await startServices(state, options);
    crashPoint('create/services');
  });
  await phase(state, 'checks', async () => {
    state.checks = await options.site.runChecks(bindingsOf(state));
  });
  if (options.mounts) state.bytesRead = await mountedBytesRead(options.mounts, state);
  state.status = state.checks.every((check) => check.verdict === 'pass')
    ? 'ready'
    : 'checks-failed';
  if (options.mounts) state.isUnsettled = true;
  await saveState(state);
  crashPoint('create/checked');
  if (!options.mounts) await settle(state, options);
  return problems;
}

/** Replay runs without fsync: what it wrote is made durable once, after it. */
async function settle(state: RecoveryState, options: RecoverOptions): Promise<void> {
  const { choice, crashPoint = noCrash } = options;
  await checkpointStores({ ...options, state, sources: sourcesOf(choice) });
  crashPoint('create/written-out');
  await syncFileSystem(state.folder);
  state.isDurable = true;
  await saveState(state);
}

async function phase(
  state: RecoveryState,
  name: RecoveryPhase['phase'],
  work: () => Promise<void>,
): Promise<void> {
  const begun = systemClock.monotonicMs();
  await work();
  state.phases.push({ phase: name, tookMs: Math.round(systemClock.monotonicMs() - begun) });
  await saveState(state);
}

const foldersOf = ({ folder }: Pick<RecoveryState, 'folder'>, store: string) => ({
  directory: path.join(folder, store, 'data'),
  scratch: path.join(folder, store, 'scratch'),
});

/** Above this, replaying with each write told takes longer than anybody wants to wait for. */
const REPLAYED_BEHIND_BYTES = 32n * 1024n * 1024n;

/** Bytes of the journal from its snapshot up to where it is recovered to. */
function replayedBytes({ capture, resolved }: ChosenStore): bigint {
  return resolved ? resolved.position.offset - capture.start.offset : 0n;
}

async function restoreStore(
  state: RecoveryState,
  chosen: ChosenStore,
  options: RecoverOptions,
): Promise<RecoverResult['problems']> {
  const { name } = chosen.store;
  const { scratch } = foldersOf(state, name);
  await fs.mkdir(path.dirname(scratch), { mode: 0o711 });
  await fs.mkdir(scratch, { mode: 0o700 });
  const snapshot = await options.repository.snapshots.load(chosen.capture.snapshot);
  const { root, blockMap } = chosen.capture;
  const what = {
    tree: snapshot.tree,
    ...(root && { root }),
    ...(blockMap === undefined ? {} : { blockMap }),
    ...(chosen.store.source.readFirst && { early: chosen.store.source.readFirst }),
  };
  const problems = options.mounts
    ? await mountStore(
        options.mounts,
        state,
        name,
        {
          ...{ ...what, snapshot: snapshot.id },
          hasXattrs: chosen.capture.kind === 'files',
          writesBehind: replayedBytes(chosen) > REPLAYED_BEHIND_BYTES,
        },
        options.signal,
      )
    : await writeOut(state, chosen, what, options);
  return problems.map((problem) => ({ store: name, ...problem }));
}

async function writeOut(
  state: RecoveryState,
  chosen: ChosenStore,
  what: { tree: string; root?: RootMetadata },
  options: RecoverOptions,
): Promise<RestoreProblem[]> {
  const { name } = chosen.store;
  const restored = await restoreTree({
    ...what,
    repository: options.repository,
    expectedBytes: chosen.capture.statistics.bytes,
    target: foldersOf(state, name).directory,
    progress: (progress) => options.progress({ ...progress, step: `${name}: ${progress.step}` }),
    signal: options.signal,
  });
  state.bytesRead += restored.bytes;
  return restored.problems;
}

function contextFor(state: RecoveryState, store: string, options: RecoverOptions): SourceContext {
  return {
    log: options.log.child({ store, recovery: state.id }),
    progress: (progress) => options.progress({ ...progress, step: `${store}: ${progress.step}` }),
    signal: options.signal,
    stateFolder: foldersOf(state, store).scratch,
  };
}

async function startStore(
  state: RecoveryState,
  chosen: ChosenStore,
  options: RecoverOptions,
): Promise<void> {
  const { name, source } = chosen.store;
  const { directory, scratch } = foldersOf(state, name);
  const below = state.stores[name]?.mounted?.files;
  const recovered = await source.recover(
    {
      capture: outcomeOf(chosen.capture),
      directory,
      ...(below === undefined ? {} : { below }),
      scratch,
      ...(chosen.journal ? { journal: chosen.journal } : {}),
      ...(chosen.resolved ? { resolved: chosen.resolved } : {}),
      ...(options.owner === undefined ? {} : { owner: options.owner }),
      ...(chosen.store.own === undefined ? {} : { own: chosen.store.own }),
      mode: 'beside',
    },
    contextFor(state, name, options),
  );
  const entry = state.stores[name] as RecoveryState['stores'][string];
  entry.url = recovered.url;
  if (recovered.url.includes('://')) {
    const urlFile = path.join(state.folder, name, 'url');
    await writeFileDurably(urlFile, `${recovered.url}\n`);
    entry.urlFile = urlFile;
  }
  await saveState(state);
}
