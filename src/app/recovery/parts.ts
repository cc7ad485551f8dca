/** Parts of the declared environment's stores: what the command line asks, joined to the data plane. */
import type { Logger, ProgressListener } from '#base';
import { type Environment, storeSettings } from '#environment';
import {
  type Choice,
  type ChosenStore,
  type FilesRequest,
  type PassingOptions,
  recoveryErrors,
  type When,
  withPassingCopy,
} from '#recovery';
import type { Repository } from '#repository';
import {
  findSource,
  type ProductionPlace,
  type TableParts,
  type TableRequest,
  type TablesWork,
  type UndoneTable,
} from '#sources';
import { chooseForEnvironment, mountingFor } from './recover-environment.ts';
import { siteOf } from './site.ts';
import { spoolFolderOf } from './spool.ts';

export type PartsOptions = {
  environment: Environment;
  repository: Repository;
  /** Folder that holds copies which live as long as they are looked at. */
  folder: string;
  owner?: string;
  log: Logger;
  progress: ProgressListener;
  signal: AbortSignal;
};

/** The instant of these stores (undefined: all). Throws what `chooseRecovery` throws. */
export async function choosePart(
  { environment, repository }: Pick<PartsOptions, 'environment' | 'repository'>,
  when: When,
  stores?: readonly string[],
  line?: number,
): Promise<Choice> {
  return await chooseForEnvironment({
    ...{ environment, repository, when },
    spoolFolder: (store) => spoolFolderOf(environment, store),
    ...(stores && { stores }),
    ...(line === undefined ? {} : { line }),
  });
}

/** How copies are made here: by mount, where that can be. */
export async function passingOptions(options: PartsOptions): Promise<PassingOptions> {
  const { environment, repository, folder, owner } = options;
  const { mounts } = await mountingFor({
    ...{ repository, environment, full: false, inPlace: false, root: folder },
  });
  const { log, progress, signal } = options;
  return {
    ...{ repository, folder, log, progress, signal },
    environment: environment.name,
    stage: environment.stage,
    site: siteOf({ environment }),
    ...(mounts && { mounts }),
    ...(owner === undefined ? {} : { owner }),
  };
}

type WithParts = { parts: TableParts; production: ProductionPlace };

export function tablesOf(
  environment: Environment,
  name: string,
  url: string | undefined,
): WithParts {
  const store = storeNamed(environment, name);
  const source = findSource(store.type);
  const settings = storeSettings(environment, store);
  if (!source?.parts || !settings) throw recoveryErrors.noTables([name, store.type]);
  return {
    parts: source.parts,
    production: { own: settings.own, ...(url === undefined ? {} : { url }) },
  };
}

function storeNamed({ stores }: Environment, name: string) {
  const store = stores.find((one) => one.name === name);
  if (!store) throw recoveryErrors.noSuchStore([name, stores.map((one) => one.name).join(', ')]);
  return store;
}

/** The store that is meant where none is named: the only one that holds tables. */
export function storeWithTables({ stores }: Environment): string | undefined {
  const fitting = stores.filter(({ type }) => findSource(type)?.parts !== undefined);
  return fitting.length === 1 ? fitting[0]?.name : undefined;
}

/** Brings one store up at the instant of the choice, prepares the work and hands it over; all of the copy goes after it. */
export async function withTables<T>(
  options: PartsOptions,
  {
    store,
    choice,
    url,
    ...request
  }: TableRequest & { store: string; choice: Choice; url?: string },
  work: (prepared: TablesWork) => Promise<T>,
): Promise<T> {
  const { parts, production } = tablesOf(options.environment, store, url);
  return await withPassingCopy(choice, await passingOptions(options), async (copy) => {
    const prepared = await parts.take(copy.store(store), production, request, copy.context(store));
    try {
      return await work(prepared);
    } finally {
      await prepared.close();
    }
  });
}

/** Looks in the named store, else in each that holds tables. Undefined where none knows this merge. */
export async function undoTables(
  { environment, log, progress, signal }: Omit<PartsOptions, 'repository' | 'folder'>,
  id: string,
  { store, database, url }: { store?: string; database?: string; url?: string },
): Promise<UndoneTable[] | undefined> {
  const names = environment.stores
    .filter(({ type }) => findSource(type)?.parts !== undefined)
    .map(({ name }) => name);
  for (const name of store === undefined ? names : [store]) {
    const { parts, production } = tablesOf(environment, name, url);
    const context = { log, progress, signal, stateFolder: '' };
    const undone = await parts.undo(production, id, database, context);
    if (undone) return undone;
  }
  return undefined;
}

/** What a folder store's part is asked with, but for what a person says of it. */
export async function filesPlace(
  { environment, repository }: PartsOptions,
  store: string,
  choice: Choice,
): Promise<Pick<FilesRequest, 'tree' | 'home'>> {
  const declared = storeNamed(environment, store);
  const { capture } = choice.stores[0] as ChosenStore;
  const settings = storeSettings(environment, declared);
  const home = settings && findSource(declared.type)?.home?.(settings, undefined);
  if (capture.kind !== 'files' || home === undefined) {
    throw recoveryErrors.noFiles([store, declared.type]);
  }
  await repository.loadIndex();
  const { tree } = await repository.snapshots.load(capture.snapshot);
  return { tree, home };
}
