/** The operations that the API's routes call, put together. */
import type { Logger } from '#base';
import {
  type Catalog,
  capturesMadeOf,
  listMarks,
  listPoints,
  type Ownership,
  type PointRow,
  saveMark,
} from '#catalog';
import { loadEnvironment } from '#environment';
import type { RecoveryPoint } from '#repository';
import type { Mark, Operations, Point, ShutdownRequest } from '#server';
import type { Jobs } from '../durable/jobs.ts';
import type { Environments } from '../protection/environments.ts';
import type { StateFolder } from '../state/folder.ts';
import { captureOperations } from './captures.ts';
import { makeMark } from './marks.ts';
import { partOperations } from './parts.ts';
import { proofOperations, proofsOfPoints } from './proofs.ts';
import { recoveryOperations } from './recoveries.ts';
import { statusOf } from './status.ts';

export type OperationsOptions = {
  state: StateFolder;
  catalog: Catalog;
  version: string;
  startedAtMs: number;
  log: Logger;
  environments: Environments;
  jobs: Jobs;
  ownership: Ownership;
  onShutdown(request: ShutdownRequest): void;
};

export function createOperations(options: OperationsOptions): Operations {
  const { environments, catalog, state, ownership } = options;
  const scopeOf = (scope: Parameters<Operations['status']>[0]) => {
    const { name, stage } = environments.find(scope);
    return { environment: name, stage };
  };
  return {
    ...captureOperations(options),
    ...recoveryOperations(options),
    ...proofOperations(options),
    ...partOperations(options),
    server: async () => ({
      version: options.version,
      pid: process.pid,
      startedAtMs: options.startedAtMs,
      stateFolder: state.root,
      controlPlane: ownership.id,
      epoch: ownership.epoch.toString(),
    }),
    // After the answer is on its way.
    shutdown: async (request) => {
      setImmediate(() => options.onShutdown(request));
    },
    environments: async () =>
      environments.all().map(({ name, stage, file, appliedAtMs, trouble, protection }) => ({
        ...{ environment: name, stage, file, appliedAtMs },
        state: protection ? 'protected' : trouble ? 'trouble' : 'starting',
        ...(trouble === undefined ? {} : { trouble: trouble.what }),
      })),
    apply: async ({ file, stage, takeOver }) => {
      const environment = await loadEnvironment({
        file,
        ...(stage === undefined ? {} : { stage }),
      });
      const stores = await environments.apply(environment, takeOver);
      return { environment: environment.name, stage: environment.stage, stores };
    },
    status: (scope) => statusOf(catalog, environments.find(scope)),
    points: async (scope, limit) =>
      pointsOf(catalog, await listPoints(catalog.pool, scopeOf(scope), limit)),
    marks: async (scope, limit) =>
      (await listMarks(catalog.pool, scopeOf(scope), limit)).map((row) => row.record as Mark),
    mark: async (scope, request) => {
      const mark = await makeMark(environments.protected(scope), request);
      await saveMark(catalog.pool, { ...mark, record: mark });
      return mark;
    },
  };
}

async function pointsOf(catalog: Catalog, rows: readonly PointRow[]): Promise<Point[]> {
  const proofs = await proofsOfPoints(
    catalog.pool,
    rows.map(({ id }) => id),
  );
  const records = rows.map(({ record }) => record as RecoveryPoint);
  const captures = records.flatMap(({ stores }) => Object.values(stores));
  const made = await capturesMadeOf(
    catalog.pool,
    captures.map(({ capture }) => capture),
  );
  return records.map(({ id, atMs, stores, infrastructure, services }) => {
    const proof = proofs.get(id);
    const shown = Object.entries(stores).map(([store, { capture }]) => {
      const madeOf = made.get(capture);
      return [store, { capture, ...(madeOf === undefined ? {} : { madeOf }) }] as const;
    });
    return {
      ...{ id, atMs, services, stores: Object.fromEntries(shown) },
      ...(infrastructure === undefined ? {} : { infrastructure }),
      ...(proof && { proof }),
    };
  });
}
