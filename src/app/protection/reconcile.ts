/**
 * Makes the catalog agree with the repository: what a crash kept from it, or all of it when the catalog was lost.
 * Rows of which the repository knows nothing go away.
 */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { messageOf } from '#base';
import {
  listGaps,
  listMarks,
  listPoints as listPointRows,
  listProofs as listProofRows,
  listCaptures as listRows,
  loadTables,
  removeRecords,
  saveCapture,
  saveGap,
  saveMark,
  savePoint,
  saveProof,
} from '#catalog';
import {
  decodeTree,
  type JournalGap,
  listCaptures,
  listPoints,
  listProofs,
  listStores,
  type Mark,
  newestCapture,
  readCapture,
  readGaps,
  readMarks,
  readPoint,
  readProofs,
} from '#repository';
import type { ProtectionContext } from './context.ts';
import { CATALOG_STORE } from './own-sources.ts';
import { proofRow } from './proof-keeper.ts';
import { captureRow, pointRow } from './publish.ts';

export type Reconciled = {
  captures: number;
  points: number;
  marks: number;
  gaps: number;
  proofs: number;
};

/** Journal batches aren't in the catalog: there may be many, and nothing there asks for them. */
const KINDS = ['base', 'files', 'infrastructure'] as const;
const ALL = 10_000_000;

export async function reconcile(context: ProtectionContext): Promise<Reconciled> {
  await beginWithCaptured(context);
  const { name, stage } = context.environment;
  const stores = (await listStores(context.repository)).filter(
    (one) => one.environment === name && one.stage === stage && one.store !== CATALOG_STORE,
  );
  return {
    captures: await reconcileCaptures(context, stores),
    points: await reconcilePoints(context),
    marks: await reconcileMarks(context),
    gaps: await reconcileGaps(context, stores),
    proofs: await reconcileProofs(context),
  };
}

/**
 * An empty catalog begins with the one that was captured: one read instead of one for each record. Where that can't be
 * used, the records themselves are all that is needed.
 */
async function beginWithCaptured(context: ProtectionContext): Promise<void> {
  const known = await listRows(context.catalog.pool, scopeOf(context), 1);
  if (known.length > 0) return;
  await loadCaptured(context).catch((error: unknown) => {
    context.log.warn({ what: messageOf(error) }, 'the captured catalog is of no use');
  });
}

async function loadCaptured(context: ProtectionContext): Promise<void> {
  const { repository, catalog, environment } = context;
  const { name, stage } = environment;
  const address = { environment: name, stage, store: CATALOG_STORE };
  const newest = await newestCapture(repository, address, ['catalog']);
  if (!newest) return;
  await repository.loadIndex();
  const { tree } = await repository.snapshots.load(newest.snapshot);
  const [file] = decodeTree(await repository.readBlob('tree', tree));
  const content = file?.content ?? Buffer.alloc(0);
  async function* blobs() {
    for (let at = 0; at < content.length; at += ID_BYTES) {
      yield repository.readBlob('data', content.subarray(at, at + ID_BYTES));
    }
  }
  await loadTables(catalog.pool, createInterface({ input: Readable.from(blobs()) }));
}

const ID_BYTES = 32;

type Stores = Awaited<ReturnType<typeof listStores>>;

const scopeOf = ({ environment: { name, stage } }: ProtectionContext) => ({
  environment: name,
  stage,
});

async function reconcileCaptures(context: ProtectionContext, stores: Stores): Promise<number> {
  const { repository, catalog } = context;
  const rows = await listRows(catalog.pool, scopeOf(context), ALL);
  const missing = new Set(rows.map((row) => row.id));
  const known = new Set(missing);
  let added = 0;
  for (const address of stores) {
    for (const entry of await listCaptures(repository, address, KINDS)) {
      missing.delete(entry.id);
      if (known.has(entry.id)) continue;
      await saveCapture(catalog.pool, captureRow(await readCapture(repository, entry)));
      added += 1;
    }
  }
  await removeRecords(catalog.pool, 'capture', [...missing]);
  return added;
}

async function reconcilePoints(context: ProtectionContext): Promise<number> {
  const { repository, catalog, environment } = context;
  const rows = await listPointRows(catalog.pool, scopeOf(context), ALL);
  const missing = new Set(rows.map((row) => row.id));
  const known = new Set(missing);
  let added = 0;
  for (const { id } of await listPoints(repository, environment.name, environment.stage)) {
    missing.delete(id);
    if (known.has(id)) continue;
    const point = await readPoint(repository, environment.name, environment.stage, id);
    await savePoint(catalog.pool, pointRow(point));
    added += 1;
  }
  await removeRecords(catalog.pool, 'point', [...missing]);
  return added;
}

async function reconcileMarks(context: ProtectionContext): Promise<number> {
  const { repository, catalog, environment } = context;
  const known = new Set(
    (await listMarks(catalog.pool, scopeOf(context), ALL)).map((row) => row.id),
  );
  let added = 0;
  for (const mark of await readMarks(repository, environment.name, environment.stage)) {
    if (known.has(mark.id)) continue;
    await saveMark(catalog.pool, markRow(mark));
    added += 1;
  }
  return added;
}

async function reconcileGaps(context: ProtectionContext, stores: Stores): Promise<number> {
  const { repository, catalog } = context;
  const known = new Set((await listGaps(catalog.pool, scopeOf(context), ALL)).map((row) => row.id));
  let added = 0;
  for (const address of stores) {
    for (const gap of await readGaps(repository, address)) {
      await saveGap(catalog.pool, gapRow(gap));
      if (!known.has(gap.id)) added += 1;
    }
  }
  return added;
}

async function reconcileProofs(context: ProtectionContext): Promise<number> {
  const { repository, catalog, environment } = context;
  const { name, stage } = environment;
  const rows = await listProofRows(catalog.pool, scopeOf(context), ALL);
  const missing = new Set(rows.map((row) => row.id));
  const added: string[] = [];
  for (const id of await listProofs(repository, name, stage)) {
    if (!missing.delete(id)) added.push(id);
  }
  for (const proof of await readProofs(repository, name, stage, added)) {
    await saveProof(catalog.pool, proofRow(proof));
  }
  await removeRecords(catalog.pool, 'proof', [...missing]);
  return added.length;
}

export function markRow(mark: Mark) {
  return { ...mark, record: mark };
}

export function gapRow(gap: JournalGap) {
  const { environment, stage, store } = gap.address;
  const { id, fromMs, toMs, because } = gap;
  return { id, environment, stage, store, fromMs, toMs, because, record: gap };
}
