/** Parts of stores through the API: the same work as the command line does by itself, with what the server knows. */
import { compareInstants, previewFiles, recoveryErrors, takeFiles } from '#recovery';
import type { Operations, PartRequest } from '#server';
import { errors } from '../errors.ts';
import type { EnvironmentProtection } from '../protection/environment-protection.ts';
import {
  choosePart,
  filesPlace,
  type PartsOptions,
  passingOptions,
  storeWithTables,
  undoTables,
  whenLastHeld,
  withTables,
} from '../recovery/index.ts';
import { progressView } from './captures.ts';
import type { OperationsOptions } from './operations.ts';
import { createPartRuns, type Ending, type PartRun } from './part-runs.ts';
import { whenOf } from './when.ts';

type PartOperations = Pick<
  Operations,
  'beginPart' | 'part' | 'differences' | 'decidePart' | 'undoMerge'
>;
type Request<Kind extends PartRequest['kind']> = Extract<PartRequest, { kind: Kind }>;

/** A folder may differ in millions of files. */
const MOST_DIFFERENCES = 100_000;

export function partOperations({ environments, log }: OperationsOptions): PartOperations {
  const runs = createPartRuns();
  return {
    async beginPart(scope, request) {
      const protection = environments.protected(scope);
      const { environment, stopping, context } = protection;
      for (const store of protection.stores.values()) await store.journal?.noteWatermark();
      const { name, stage } = environment;
      const what = { environment: name, stage, kind: request.kind };
      return runs.begin(what, stopping, async (run) => {
        log.info({ part: run.shown.id, ...what }, 'a part of a store is looked up');
        const ending = await context.activity.during('a look at parts of stores', () =>
          look(request, run, optionsFor(protection, run, request)),
        );
        const { id, taken, kept } = run.shown;
        log.info({ part: id, ending, ...taken, ...(kept !== undefined && { kept }) }, 'it ended');
        return ending;
      });
    },
    part: (id, waitMs) => runs.wait(id, waitMs),
    differences: async (id, from, limit) => runs.differences(id, from, limit),
    decidePart: (id, decision) => runs.decide(id, decision),
    async undoMerge(scope, id, { store, database, productionUrl }) {
      const { environment, stopping } = environments.protected(scope);
      const tables = await undoTables(
        { environment, log, progress: () => {}, signal: stopping },
        id,
        {
          ...(store === undefined ? {} : { store }),
          ...(database === undefined ? {} : { database }),
          ...(productionUrl === undefined ? {} : { url: productionUrl }),
        },
      );
      if (!tables) throw recoveryErrors.noSuchMerge([id]);
      log.info({ merge: id, tables }, 'a merge was taken back');
      return { id, tables };
    },
  };
}

function optionsFor(
  { environment, context }: EnvironmentProtection,
  { tell, signal }: PartRun,
  request: PartRequest,
): PartsOptions {
  const owner = 'owner' in request ? request.owner : undefined;
  return {
    ...{ environment, repository: context.repository, log: context.log, signal },
    folder: context.proving.folder,
    progress: (progress) => tell({ progress: progressView(progress) }),
    ...(owner === undefined ? {} : { owner }),
  };
}

async function look(request: PartRequest, run: PartRun, options: PartsOptions): Promise<Ending> {
  if (request.kind === 'tables') return await lookAtTables(request, run, options);
  if (request.kind === 'files') return await lookAtFiles(request, run, options);
  if (request.kind === 'difference') await lookForDifferences(request, run, options);
  else await lookForCondition(request, run, options);
  return 'done';
}

async function lookAtTables(
  request: Request<'tables'>,
  run: PartRun,
  options: PartsOptions,
): Promise<Ending> {
  const { tables, where, database, as, into, update, undo, productionUrl, timeline } = request;
  const store = tableStore(request.store, options);
  const choice = await choosePart(options, whenOf(request.to), [store], timeline);
  const { atMs = choice.instantMs, notes = [] } = choice.stores[0]?.selection ?? {};
  run.tell({ store, atMs, title: choice.title, notes });
  const wanted = {
    ...{ store, choice, tables, into, update, undo, instantMs: atMs },
    ...(where === undefined ? {} : { where }),
    ...(as === undefined ? {} : { as }),
    ...(database === undefined ? {} : { database }),
    ...(productionUrl === undefined ? {} : { url: productionUrl }),
  };
  return await withTables(options, wanted, async (work) => {
    const decision = await run.decided({ tables: [...work.preview] });
    if (decision === 'discard') return 'discarded';
    run.tell({ taken: await work.apply() });
    return 'done';
  });
}

/** Throws `app/store-not-named` where none is named and several could be meant. */
function tableStore(named: string | undefined, { environment }: PartsOptions): string {
  const store = named ?? storeWithTables(environment);
  if (store === undefined) throw errors.storeNotNamed([environment.name]);
  return store;
}

async function lookAtFiles(
  { to, store, from, as, overwrite }: Request<'files'>,
  run: PartRun,
  options: PartsOptions,
): Promise<Ending> {
  const choice = await choosePart(options, whenOf(to), [store]);
  const { atMs = choice.instantMs, from: origin = '' } = choice.stores[0]?.selection ?? {};
  run.tell({ store, atMs, title: origin });
  const request = {
    ...(await filesPlace(options, store, choice)),
    ...{ repository: options.repository, store, from, overwrite },
    instant: new Date(atMs).toISOString(),
    ...(as === undefined ? {} : { as }),
    ...{ progress: options.progress, signal: options.signal },
  };
  const decision = await run.decided({ files: await previewFiles(request) });
  if (decision === 'discard') return 'discarded';
  const { problems, kept, ...files } = await takeFiles(request);
  run.tell({ files, problems, ...(kept === undefined ? {} : { kept }) });
  return 'done';
}

async function lookForDifferences(
  { before, after, stores, tables, database, ...request }: Request<'difference'>,
  run: PartRun,
  options: PartsOptions,
): Promise<void> {
  const named = tables && !stores ? [tableStore(undefined, options)] : stores;
  const [one, two] = [
    await choosePart(options, whenOf(before), named),
    await choosePart(options, whenOf(after), named),
  ];
  if (one.instantMs > two.instantMs) {
    const [from, to] = [one.instantMs, two.instantMs].map((ms) => new Date(ms).toISOString());
    throw recoveryErrors.spanEmpty([from ?? '', to ?? '']);
  }
  run.tell({ atMs: one.instantMs, untilMs: two.instantMs, differences: 0 });
  await compareInstants(
    {
      ...{ before: one, after: two },
      ...(tables && { tables }),
      ...(database === undefined ? {} : { database }),
      onDifference: (difference) => {
        if (run.differences.length >= MOST_DIFFERENCES) return run.tell({ hasMore: true });
        run.differences.push(difference);
        run.tell({ differences: run.differences.length });
      },
    },
    await passingOptions({ ...options, ...(request.owner && { owner: request.owner }) }),
  );
}

async function lookForCondition(
  { sql, from, to, precisionMs, database, ...request }: Request<'condition'>,
  run: PartRun,
  options: PartsOptions,
): Promise<void> {
  const store = tableStore(request.store, options);
  run.tell({ store });
  const iso = (ms: number) => new Date(ms).toISOString();
  const condition = await whenLastHeld(options, {
    ...{ store, to: whenOf(to), precisionMs },
    condition: { sql, ...(database === undefined ? {} : { database }) },
    ...(from && { from: whenOf(from) }),
    onStep: ({ heldMs, failedMs }) =>
      run.tell({ progress: { step: `between ${iso(heldMs)} and ${iso(failedMs)}` } }),
  });
  run.tell({ condition });
}
