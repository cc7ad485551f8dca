/** What a capture leads to: its row in the catalog, and a recovery point of the whole environment. */
import { notePoint } from '#capture';
import { saveCapture, savePoint } from '#catalog';
import type { CaptureRecord, RecoveryPoint } from '#repository';
import type { ProtectionContext } from './context.ts';

export async function publishCapture(
  context: ProtectionContext,
  record: CaptureRecord,
): Promise<void> {
  await saveCapture(context.catalog.pool, captureRow(record));
}

export function captureRow(record: CaptureRecord) {
  return {
    id: record.id,
    environment: record.address.environment,
    stage: record.address.stage,
    store: record.address.store,
    kind: record.kind,
    snapshot: record.snapshot,
    startedAtMs: record.startedAtMs,
    endedAtMs: record.endedAtMs,
    // The catalog is for lists: what a list doesn't show stays in the repository alone.
    record: { ...record, problems: record.problems.slice(0, 20) },
  };
}

/** Durable in the repository before the catalog shows it. `captures`: by store, the newest one. */
export async function publishPoint(
  context: ProtectionContext,
  captures: ReadonlyMap<string, CaptureRecord>,
  infrastructure: string | undefined,
): Promise<RecoveryPoint | undefined> {
  if (captures.size === 0) return undefined;
  const { environment } = context;
  const stores = [...captures].map(([store, record]) => [store, { capture: record.id }] as const);
  const services = environment.services.map(
    ({ name, version }) => [name, version === undefined ? {} : { version }] as const,
  );
  const point = await notePoint(context.repository, {
    environment: environment.name,
    stage: environment.stage,
    stores: Object.fromEntries(stores),
    ...(infrastructure === undefined ? {} : { infrastructure }),
    services: Object.fromEntries(services),
  });
  await savePoint(context.catalog.pool, pointRow(point));
  return point;
}

export function pointRow(point: RecoveryPoint) {
  const { id, environment, stage, atMs } = point;
  return { id, environment, stage, atMs, record: point };
}
