/** Captures of stores, and batches of their journals. */
import { errors } from '../errors.ts';
import {
  batchesFolder,
  type CaptureEntry,
  captureName,
  parseCaptureName,
  storeFolder,
} from './names.ts';
import { type RecordsHome, readRecord, writeRecord } from './record-files.ts';
import type { CaptureKind, CaptureRecord, StoreAddress } from './records.ts';

/**
 * Durable when it resolves, to the record's name; only after the snapshot is. `latestMs` is the latest instant within a
 * journal batch. Throws `repository/record-invalid` where a field couldn't be read again.
 */
export async function writeCapture(
  home: RecordsHome,
  record: CaptureRecord,
  latestMs?: number,
): Promise<string> {
  const name = captureName(record, latestMs);
  await writeRecord(home, 'capture', name, record);
  return name;
}

/** The same capture with another snapshot, say: its name stays. Atomic, and durable when it resolves. */
export async function rewriteCapture(
  home: RecordsHome,
  name: string,
  record: CaptureRecord,
): Promise<void> {
  await writeRecord(home, 'capture', name, record);
}

/** All captures of one store by name alone, journal batches too, sorted by time within each kind's place. */
export async function listCaptures(
  home: RecordsHome,
  address: StoreAddress,
  kinds?: readonly CaptureKind[],
): Promise<CaptureEntry[]> {
  const wanted = (kind: CaptureKind) => kinds === undefined || kinds.includes(kind);
  const names: string[] = [];
  if (kinds === undefined || kinds.some((kind) => kind !== 'journal-batch'))
    names.push(...(await home.sealed.list(storeFolder('captures', address))));
  if (wanted('journal-batch')) names.push(...(await home.sealed.list(batchesFolder(address))));
  return names
    .map(parseCaptureName)
    .filter((entry): entry is CaptureEntry => entry !== undefined && wanted(entry.kind));
}

export async function readCapture(
  home: RecordsHome,
  entry: Pick<CaptureEntry, 'name'>,
): Promise<CaptureRecord> {
  return await readRecord(home, 'capture', entry.name);
}

/** By id. Throws `repository/record-not-found`. */
export async function findCapture(
  home: RecordsHome,
  address: StoreAddress,
  id: string,
): Promise<CaptureRecord> {
  const entry = (await listCaptures(home, address)).find((candidate) => candidate.id === id);
  if (!entry) throw errors.recordNotFound([`capture ${id} of ${address.store}`]);
  return await readCapture(home, entry);
}

/** The newest capture of these kinds, or undefined where there is none. */
export async function newestCapture(
  home: RecordsHome,
  address: StoreAddress,
  kinds: readonly CaptureKind[],
): Promise<CaptureRecord | undefined> {
  const entries = await listCaptures(home, address, kinds);
  const newest = entries.sort((a, b) => (a.id < b.id ? -1 : 1)).at(-1);
  return newest && (await readCapture(home, newest));
}

/** Takes the record away, and its block map; its snapshot is another matter. */
export async function removeCapture(home: RecordsHome, entry: CaptureEntry): Promise<void> {
  await home.sealed.remove(entry.name);
  const pages = await home.sealed.list(`${storeFolder('blocks', entry.address)}${entry.id}/`);
  for (const page of pages) await home.sealed.remove(page);
}

/** Every store that has any capture here: what a lost control plane is rebuilt from. */
export async function listStores(home: RecordsHome): Promise<StoreAddress[]> {
  const seen = new Map<string, StoreAddress>();
  for (const name of await home.sealed.list('captures/')) {
    const entry = parseCaptureName(name);
    if (!entry) continue;
    const folder = storeFolder('captures', entry.address);
    if (!seen.has(folder)) seen.set(folder, entry.address);
  }
  return [...seen.values()];
}
