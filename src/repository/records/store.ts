/** Writing, reading and listing records among a repository's sealed files. */
import { isHoldfastError } from '#base';
import { errors } from '../errors.ts';
import type { SealedFiles } from '../sealed/sealed-files.ts';
import { decodeRecord, encodeRecord, type RecordKind, type RecordOf } from './codec.ts';
import {
  batchesFolder,
  type CaptureEntry,
  captureName,
  environmentFolder,
  gapName,
  lineName,
  MENDS_FOLDER,
  mendName,
  parseCaptureName,
  parseWatermarkName,
  storeFolder,
  timeOfId,
  watermarkName,
} from './names.ts';
import type {
  CaptureKind,
  CaptureRecord,
  JournalGap,
  JournalLine,
  Mark,
  Mend,
  Proof,
  RecoveryPoint,
  StoreAddress,
  Watermark,
} from './records.ts';

/** What records need of a repository. */
export type RecordsHome = { readonly sealed: SealedFiles };

async function write<K extends RecordKind>(
  home: RecordsHome,
  kind: K,
  name: string,
  value: RecordOf<K>,
): Promise<void> {
  await home.sealed.write(name, encodeRecord(kind, value, name));
}

async function read<K extends RecordKind>(
  home: RecordsHome,
  kind: K,
  name: string,
): Promise<RecordOf<K>> {
  return decodeRecord(kind, await home.sealed.read(name), name);
}

/** Reads many, a few at a time, in the order of the names. */
async function readAll<K extends RecordKind>(
  home: RecordsHome,
  kind: K,
  names: readonly string[],
): Promise<RecordOf<K>[]> {
  const found: RecordOf<K>[] = [];
  for (let start = 0; start < names.length; start += 16)
    found.push(
      ...(await Promise.all(names.slice(start, start + 16).map((name) => read(home, kind, name)))),
    );
  return found;
}

// ---------------------------------------------------------------- captures

/**
 * Durable when it resolves, to the record's name; only after the snapshot is. `latestMs` is the latest instant within a journal batch.
 * Throws `repository/record-invalid` where a field couldn't be read again.
 */
export async function writeCapture(
  home: RecordsHome,
  record: CaptureRecord,
  latestMs?: number,
): Promise<string> {
  const name = captureName(record, latestMs);
  await write(home, 'capture', name, record);
  return name;
}

/** The same capture with another snapshot, say: its name stays. Atomic, and durable when it resolves. */
export async function rewriteCapture(
  home: RecordsHome,
  name: string,
  record: CaptureRecord,
): Promise<void> {
  await write(home, 'capture', name, record);
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
  return await read(home, 'capture', entry.name);
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

// ---------------------------------------------------------------- points and marks

/** The span of time of a listing, ms since 1970, both ends included. */
export type TimeSpan = { fromMs?: number; toMs?: number };

function within(id: string, span: TimeSpan): boolean {
  const atMs = timeOfId(id);
  if (atMs === undefined) return true;
  return atMs >= (span.fromMs ?? -Infinity) && atMs <= (span.toMs ?? Infinity);
}

const lastPart = (name: string) => name.slice(name.lastIndexOf('/') + 1);

async function namesWithin(home: RecordsHome, folder: string, span: TimeSpan): Promise<string[]> {
  const names = await home.sealed.list(folder);
  return names.filter((name) => within(lastPart(name), span));
}

/** The id must be made by `timedId(point.atMs)`: listings by time go by it. */
export async function writePoint(home: RecordsHome, point: RecoveryPoint): Promise<void> {
  const folder = environmentFolder('points', point.environment, point.stage);
  await write(home, 'point', `${folder}${point.id}`, point);
}

/** Ids and instants alone, oldest first; reads none. */
export async function listPoints(
  home: RecordsHome,
  environment: string,
  stage: string,
  span: TimeSpan = {},
): Promise<{ id: string; atMs: number }[]> {
  const names = await namesWithin(home, environmentFolder('points', environment, stage), span);
  return names.map((name) => ({ id: lastPart(name), atMs: timeOfId(lastPart(name)) ?? 0 }));
}

/** Throws `repository/not-in-storage`. */
export async function readPoint(
  home: RecordsHome,
  environment: string,
  stage: string,
  id: string,
): Promise<RecoveryPoint> {
  return await read(home, 'point', `${environmentFolder('points', environment, stage)}${id}`);
}

export async function readPoints(
  home: RecordsHome,
  environment: string,
  stage: string,
  span: TimeSpan = {},
): Promise<RecoveryPoint[]> {
  const names = await namesWithin(home, environmentFolder('points', environment, stage), span);
  return await readAll(home, 'point', names);
}

export async function removePoint(
  home: RecordsHome,
  environment: string,
  stage: string,
  id: string,
): Promise<void> {
  await home.sealed.remove(`${environmentFolder('points', environment, stage)}${id}`);
}

/** The id must be made by `timedId(mark.atMs)`: listings by time go by it. */
export async function writeMark(home: RecordsHome, mark: Mark): Promise<void> {
  const folder = environmentFolder('marks', mark.environment, mark.stage);
  await write(home, 'mark', `${folder}${mark.id}`, mark);
}

/** Oldest first. */
export async function readMarks(
  home: RecordsHome,
  environment: string,
  stage: string,
  span: TimeSpan = {},
): Promise<Mark[]> {
  const names = await namesWithin(home, environmentFolder('marks', environment, stage), span);
  return await readAll(home, 'mark', names);
}

/** Durable when it resolves. The id must be made by `timedId(proof.startedAtMs)`: listings by time go by it. */
export async function writeProof(home: RecordsHome, proof: Proof): Promise<void> {
  const folder = environmentFolder('proofs', proof.environment, proof.stage);
  await write(home, 'proof', `${folder}${proof.id}`, proof);
}

/** Ids alone, oldest first; reads none. */
export async function listProofs(
  home: RecordsHome,
  environment: string,
  stage: string,
): Promise<string[]> {
  const names = await home.sealed.list(environmentFolder('proofs', environment, stage));
  return names.map(lastPart);
}

/** In the order of the ids. Throws `repository/not-in-storage`. */
export async function readProofs(
  home: RecordsHome,
  environment: string,
  stage: string,
  ids: readonly string[],
): Promise<Proof[]> {
  const folder = environmentFolder('proofs', environment, stage);
  return await readAll(
    home,
    'proof',
    ids.map((id) => `${folder}${id}`),
  );
}

export async function removeProof(
  home: RecordsHome,
  environment: string,
  stage: string,
  id: string,
): Promise<void> {
  await home.sealed.remove(`${environmentFolder('proofs', environment, stage)}${id}`);
}

// ---------------------------------------------------------------- journal

/** Writing the same line again replaces it. */
export async function writeLine(
  home: RecordsHome,
  address: StoreAddress,
  line: JournalLine,
): Promise<void> {
  await write(home, 'line', lineName(address, line.line), line);
}

export async function readLines(home: RecordsHome, address: StoreAddress): Promise<JournalLine[]> {
  const names = await home.sealed.list(`${storeFolder('journal', address)}lines/`);
  return await readAll(home, 'line', names);
}

/** Writing a gap with the same id and beginning again replaces it: that is how its end is noted. */
export async function writeGap(home: RecordsHome, gap: JournalGap): Promise<void> {
  await write(home, 'gap', gapName(gap.address, gap.from, gap.id), gap);
}

/** By line and offset. */
export async function readGaps(home: RecordsHome, address: StoreAddress): Promise<JournalGap[]> {
  const names = await home.sealed.list(`${storeFolder('journal', address)}gaps/`);
  return await readAll(home, 'gap', names);
}

export async function writeWatermark(
  home: RecordsHome,
  address: StoreAddress,
  watermark: Watermark,
): Promise<void> {
  const name = watermarkName(address, watermark.atMs, watermark.position);
  await write(home, 'watermark', name, watermark);
}

/** Oldest first; names carry all of it, so none is read. */
export async function listWatermarks(
  home: RecordsHome,
  address: StoreAddress,
): Promise<Watermark[]> {
  const names = await home.sealed.list(`${storeFolder('journal', address)}watermarks/`);
  return names
    .map(parseWatermarkName)
    .filter((watermark): watermark is Watermark => watermark !== undefined);
}

export async function removeWatermark(
  home: RecordsHome,
  address: StoreAddress,
  watermark: Watermark,
): Promise<void> {
  await home.sealed.remove(watermarkName(address, watermark.atMs, watermark.position));
}

// ---------------------------------------------------------------- mends

export async function writeMend(home: RecordsHome, mend: Mend): Promise<void> {
  await write(home, 'mend', mendName(mend.id), mend);
}

/** What has been brought back by itself since an instant, oldest first. Older ones aren't read. */
export async function listMends(home: RecordsHome, sinceMs = 0): Promise<Mend[]> {
  const names = (await home.sealed.list(MENDS_FOLDER)).filter(
    (name) => (timeOfId(name.slice(MENDS_FOLDER.length)) ?? 0) >= sinceMs,
  );
  return await readAll(home, 'mend', names);
}

/** Takes away all notes but the newest; with credentials that may only add, they stay. */
export async function thinMends(home: RecordsHome, keep: number): Promise<void> {
  const names = await home.sealed.list(MENDS_FOLDER);
  try {
    for (const name of names.slice(0, Math.max(0, names.length - keep))) {
      await home.sealed.remove(name);
    }
  } catch (error) {
    if (!isHoldfastError(error, 's3/denied')) throw error;
  }
}
