/**
 * Copies of stores that live as long as a piece of work: brought up by mount beside production, without services or
 * checks, and taken away however the work ends. What a killed process left is taken away by whoever comes next.
 */
import type { Logger, ProgressListener } from '#base';
import type { Repository } from '#repository';
import type { CopyPlace, SourceContext } from '#sources';
import type { Choice, ChosenStore } from '../choose/request.ts';
import { openPassingPlace, removePassingPlace, sweepPassingPlaces } from '../life/passing-place.ts';
import { recoverBeside } from '../life/recover.ts';
import { bindingsOf } from '../life/services.ts';
import { type LeftFolder, type MountClient, mountControl, openLeftFolder } from '../mount/index.ts';
import type { Bindings, RecoveryState } from '../request.ts';
import type { Site } from '../site.ts';

export type PassingOptions = {
  repository: Repository;
  environment: string;
  stage: string;
  /** Folder that holds such copies on this host. */
  folder: string;
  /** To end what killed ones left running. */
  site: Pick<Site, 'runtime' | 'production'>;
  mounts?: MountClient;
  owner?: string;
  log: Logger;
  progress: ProgressListener;
  signal: AbortSignal;
};

export type PassingCopy = {
  choice: Choice;
  /** When it was begun, ms since 1970: what was written to before is as it was captured. */
  begunMs: number;
  store(name: string): CopyPlace & { chosen: ChosenStore };
  context(store: string): SourceContext;
  /** Where its stores are found, for checks. */
  bindings: Bindings;
  /**
   * Unmounts a store on which nothing runs any more, and opens what it left on this host; to be closed by the caller.
   * Undefined where it wasn't mounted.
   */
  left(store: string): Promise<LeftFolder | undefined>;
};

/** Takes away what killed ones left, brings the chosen stores up, works, takes them away. */
export async function withPassingCopy<T>(
  choice: Choice,
  options: PassingOptions,
  work: (copy: PassingCopy) => Promise<T>,
): Promise<T> {
  const { folder, site, log, progress } = options;
  await sweepPassingPlaces(folder, { site, log });
  const types = choice.stores.map(({ store }) => [store.name, store.source.type] as const);
  const place = await openPassingPlace(folder, Object.fromEntries(types));
  try {
    const { state } = await recoverBeside({
      ...options,
      choice,
      // Nothing of an environment but its stores.
      site: { ...site, services: [], runChecks: async () => [] },
      root: place.root,
      inPlace: false,
    });
    return await work(copyOf(state, choice, options));
  } finally {
    progress({ step: 'taking the copy away' });
    await removePassingPlace(place, { site, log });
  }
}

function copyOf(state: RecoveryState, choice: Choice, options: PassingOptions): PassingCopy {
  const { log, progress, signal } = options;
  const scratchOf = (name: string) => `${state.folder}/${name}/scratch`;
  return {
    choice,
    begunMs: state.createdAtMs,
    bindings: bindingsOf(state),
    store(name) {
      const chosen = choice.stores.find(({ store }) => store.name === name);
      const directory = state.stores[name]?.directory;
      if (!chosen || directory === undefined) throw new Error(`${name} was not chosen`);
      return { chosen, directory, scratch: scratchOf(name) };
    },
    async left(name) {
      const { directory, mounted } = state.stores[name] ?? {};
      if (directory === undefined || !mounted) return undefined;
      await mountControl(mounted.service).unmount(directory);
      const places = { files: mounted.files, state: mounted.pages };
      return openLeftFolder(places, options.repository);
    },
    context: (name) => ({
      log: log.child({ store: name, recovery: state.id }),
      progress,
      signal,
      stateFolder: scratchOf(name),
    }),
  };
}
