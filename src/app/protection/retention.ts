/**
 * What is older than it is kept goes away, unless somebody holds it. Judged by this host's clock, where the storage's
 * doesn't contradict it; done in an order in which a crash leaves
 * nothing that refers to what is gone: points, then records, then snapshots and the journal. The blobs are left to prune.
 */
import { systemClock } from '#base';
import { removeUnrecorded } from '#capture';
import { removeRecords } from '#catalog';
import {
  type CaptureEntry,
  type CaptureKind,
  type CaptureRecord,
  checkClock,
  listCaptures,
  listPieces,
  listWatermarks,
  type Repository,
  readCapture,
  readHolds,
  readLeases,
  readPoints,
  removeCapture,
  removePiece,
  removePoint,
  removeWatermark,
  type StoreAddress,
  timeOfId,
} from '#repository';
import type { ProtectionContext } from './context.ts';
import { CATALOG_STORE, INFRASTRUCTURE_STORE } from './own-sources.ts';
import { removeProofs } from './proof-retention.ts';
import { expiredCaptures } from './retention-policy.ts';
import type { StoreProtection } from './store-protection.ts';

export type RetentionOutcome = {
  captures: number;
  points: number;
  pieces: number;
  proofs: number;
};

/** The catalog is kept as a whole each time: of interest is the newest. */
const CATALOG_KEPT_MS = 7 * 86_400_000;

export async function applyRetention(
  context: ProtectionContext,
  stores: readonly StoreProtection[],
  signal: AbortSignal,
  nowMs = systemClock.nowMs(),
): Promise<RetentionOutcome> {
  const { repository } = context;
  await checkClock(repository, nowMs);
  const held = new Map<string, unknown>([
    ...(await readHolds(repository)),
    ...(await readLeases(repository, nowMs)),
  ]);
  const unheld = (entries: CaptureEntry[]) => withoutHeld(repository, entries, held);
  const expired = await unheld(await expiredOf(context, stores, nowMs));
  const points = await removePointsOf(context, expired);
  expired.push(...(await unheld(await unusedInfrastructure(context))));
  for (const entry of expired) {
    signal.throwIfAborted();
    await removeEntry(context, entry);
  }
  let pieces = 0;
  for (const store of stores) {
    if (store.journal) pieces += await trimJournal(context, store.address);
    // Between snapshot and record of a capture under way, it would take the snapshot for one without a record.
    await store.paused(() => removeUnrecorded(context.repository, store.address));
  }
  const proofs = await removeProofs(context, nowMs);
  return { captures: expired.length, points, pieces, proofs };
}

async function expiredOf(
  context: ProtectionContext,
  stores: readonly StoreProtection[],
  nowMs: number,
): Promise<CaptureEntry[]> {
  const { name, stage } = context.environment;
  const rules = stores.map(({ address, store, journal }) => ({
    ...{ address, keepMs: store.keepMs, thin: journal === undefined },
    kinds: ['base', 'files'] as readonly CaptureKind[],
  }));
  rules.push({
    address: { environment: name, stage, store: CATALOG_STORE },
    keepMs: CATALOG_KEPT_MS,
    thin: true,
    kinds: ['catalog'],
  });
  const expired: CaptureEntry[] = [];
  for (const { address, kinds, ...rule } of rules) {
    const entries = await listCaptures(context.repository, address, kinds);
    const aged = entries.map((entry) => ({ ...entry, atMs: timeOfId(entry.id) ?? 0 }));
    const ids = new Set(expiredCaptures(aged, { nowMs, ...rule }).map(({ id }) => id));
    expired.push(...entries.filter((entry) => ids.has(entry.id)));
  }
  return expired;
}

/** A base that is held stays the first one of its journal: what follows it stays too. */
async function withoutHeld(
  repository: Repository,
  entries: CaptureEntry[],
  held: ReadonlyMap<string, unknown>,
): Promise<CaptureEntry[]> {
  if (held.size === 0) return entries;
  const left: CaptureEntry[] = [];
  for (const entry of entries) {
    if (!held.has((await readCapture(repository, entry)).snapshot)) left.push(entry);
  }
  return left;
}

async function removePointsOf(
  context: ProtectionContext,
  expired: readonly CaptureEntry[],
): Promise<number> {
  const { repository, catalog } = context;
  const { name, stage } = context.environment;
  if (expired.length === 0) return 0;
  const gone = new Set(expired.map((entry) => entry.id));
  const points = await readPoints(repository, name, stage);
  const ids = points
    .filter((point) => Object.values(point.stores).some(({ capture }) => gone.has(capture)))
    .map((point) => point.id);
  for (const id of ids) await removePoint(repository, name, stage, id);
  await removeRecords(catalog.pool, 'point', ids);
  return ids.length;
}

/** Of infrastructure stays what a point refers to, and the newest. */
async function unusedInfrastructure(context: ProtectionContext): Promise<CaptureEntry[]> {
  const { repository, environment } = context;
  const { name, stage } = environment;
  const address = { environment: name, stage, store: INFRASTRUCTURE_STORE };
  const entries = await listCaptures(repository, address, ['infrastructure']);
  if (entries.length < 2) return [];
  const points = await readPoints(repository, name, stage);
  const used = new Set(points.map((point) => point.infrastructure));
  const newest = entries.reduce((a, b) => (a.id > b.id ? a : b));
  return entries.filter((entry) => !used.has(entry.id) && entry !== newest);
}

/** The record first: what has none is an unused snapshot, which any later pass finds. */
async function removeEntry(context: ProtectionContext, entry: CaptureEntry): Promise<void> {
  const { repository, catalog } = context;
  const record = await readCapture(repository, entry);
  await removeRecords(catalog.pool, 'capture', [entry.id]);
  await removeCapture(repository, entry);
  await repository.snapshots.remove(record.snapshot);
}

/** Pieces, batches and watermarks from before the oldest base that is left. */
async function trimJournal(context: ProtectionContext, address: StoreAddress): Promise<number> {
  const { repository } = context;
  const bases = await listCaptures(repository, address, ['base']);
  const oldest = bases.reduce<CaptureEntry | undefined>(
    (first, entry) => (first === undefined || entry.id < first.id ? entry : first),
    undefined,
  );
  if (!oldest) return 0;
  const { start } = await readCapture(repository, oldest);
  const isBefore = (span: { line: number; to: bigint }) =>
    span.line < start.line || (span.line === start.line && span.to <= start.offset);
  let removed = 0;
  for (const piece of (await listPieces(repository, address)).filter(isBefore)) {
    await removePiece(repository, piece);
    removed += 1;
  }
  for (const entry of await listCaptures(repository, address, ['journal-batch'])) {
    if (!entry.span || !isBefore(entry.span)) continue;
    await removeEntry(context, entry);
    removed += 1;
  }
  await trimWatermarks(context, address, start);
  return removed;
}

async function trimWatermarks(
  context: ProtectionContext,
  address: StoreAddress,
  start: CaptureRecord['start'],
): Promise<void> {
  for (const watermark of await listWatermarks(context.repository, address)) {
    const { line, offset } = watermark.position;
    if (line < start.line || (line === start.line && offset < start.offset)) {
      await removeWatermark(context.repository, address, watermark);
    }
  }
}
