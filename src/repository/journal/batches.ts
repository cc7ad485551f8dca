/**
 * Batches of a journal: captures of the kind `journal-batch`, whose snapshot holds whole segments as files, cut into
 * fixed chunks. Their record tells which file holds which stretch, so a range is read with a few blobs.
 */
import { errors } from '../errors.ts';
import { readCapture } from '../records/captures.ts';
import { batchesFolder, type NamedSpan, parseCaptureName } from '../records/names.ts';
import type { CaptureRecord, StoreAddress, Watermark } from '../records/records.ts';
import type { Repository } from '../repository.ts';
import { decodeTree } from '../tree/decode-tree.ts';

/** What reading journals needs of a repository. */
export type JournalHome = Pick<Repository, 'sealed' | 'snapshots' | 'readBlob' | 'loadIndex'>;

export type JournalBatch = NamedSpan & { name: string; id: string };

/** One file of a batch: a whole segment. */
export type BatchSegment = { name: string; from: bigint; sizeBytes: number };

/** By `atMs` (the store's clock) the journal stood no further than `offset`. */
export type Standing = { offset: bigint; atMs: number };

/** So many are kept of one batch, evenly: of 1 GiB one for each 256 KiB. */
const MOST_STANDINGS = 4096;

/**
 * The segments as a batch's record keeps them, and what was known of when the journal stood where: JSON values alone.
 */
export function batchFacts(
  segments: readonly BatchSegment[],
  standings: readonly Standing[],
): Record<string, unknown> {
  const step = Math.ceil(standings.length / MOST_STANDINGS);
  const kept = standings.filter((_, index) => (index + 1) % step === 0);
  return {
    standings: kept.map(({ offset, atMs }) => [offset.toString(), atMs]),
    segments: segments.map(({ name, from, sizeBytes }) => ({
      name,
      from: from.toString(),
      sizeBytes,
    })),
  };
}

/** By line and offset, from the names alone. */
export async function listBatches(
  home: Pick<JournalHome, 'sealed'>,
  address: StoreAddress,
): Promise<JournalBatch[]> {
  const batches: JournalBatch[] = [];
  for (const name of await home.sealed.list(batchesFolder(address))) {
    const entry = parseCaptureName(name);
    if (entry?.span) batches.push({ ...entry.span, name, id: entry.id });
  }
  return batches;
}

type OpenSegment = BatchSegment & { content: Buffer };

/** A batch whose record and tree were read; its index is loaded. */
export type OpenBatch = { name: string; chunkSizeBytes: number; segments: OpenSegment[] };

/** Throws `repository/record-invalid` where record and snapshot don't fit together. */
export async function openBatch(home: JournalHome, batch: JournalBatch): Promise<OpenBatch> {
  const record = await readCapture(home, batch);
  const segments = segmentsOf(record, batch.name);
  const snapshot = await home.snapshots.load(record.snapshot);
  await home.loadIndex();
  const contents = new Map<string, Buffer>();
  for (const node of decodeTree(await home.readBlob('tree', snapshot.tree)))
    if (node.content) contents.set(node.name.toString('latin1'), node.content);
  const opened = segments.map((segment) => {
    const content = contents.get(segment.name);
    const blobs = Math.ceil(segment.sizeBytes / record.chunkSizeBytes);
    if (content?.length !== blobs * 32)
      throw errors.recordInvalid([batch.name, `its snapshot doesn't hold ${segment.name}`]);
    return { ...segment, content };
  });
  return { name: batch.name, chunkSizeBytes: record.chunkSizeBytes, segments: opened };
}

function segmentsOf(record: CaptureRecord, name: string): BatchSegment[] {
  const listed = record.facts.segments;
  if (!Array.isArray(listed) || record.chunkSizeBytes < 1)
    throw errors.recordInvalid([name, 'it lists no segments']);
  let next = record.start.offset;
  const segments = listed.map((raw: unknown): BatchSegment => {
    const segment = raw as { name?: unknown; from?: unknown; sizeBytes?: unknown } | null;
    const valid =
      typeof segment?.name === 'string' &&
      segment.from === next.toString() &&
      Number.isSafeInteger(segment.sizeBytes) &&
      (segment.sizeBytes as number) > 0;
    if (!valid) throw errors.recordInvalid([name, 'its segments do not follow one another']);
    const from = next;
    next += BigInt(segment.sizeBytes as number);
    return { name: segment.name as string, from, sizeBytes: segment.sizeBytes as number };
  });
  if (next !== record.end.offset)
    throw errors.recordInvalid([name, 'its segments do not fill its span']);
  return segments;
}

/** Records never change: those around forks are asked for again and again. */
const knownStandings = new WeakMap<JournalHome, Map<string, Promise<Watermark[]>>>();

/** How the journal stood within a batch, as its record tells; empty where it was written without. */
export function batchStandings(home: JournalHome, batch: JournalBatch): Promise<Watermark[]> {
  const known = knownStandings.get(home) ?? new Map<string, Promise<Watermark[]>>();
  knownStandings.set(home, known);
  const standings = known.get(batch.name) ?? readStandings(home, batch);
  known.set(batch.name, standings);
  // A failed reading isn't kept.
  standings.catch(() => known.delete(batch.name));
  return standings;
}

async function readStandings(home: JournalHome, batch: JournalBatch): Promise<Watermark[]> {
  const { facts } = await readCapture(home, batch);
  if (!Array.isArray(facts.standings)) return [];
  return facts.standings.flatMap((raw: unknown) => {
    const [offset, atMs] = Array.isArray(raw) ? (raw as unknown[]) : [];
    if (typeof offset !== 'string' || !/^\d{1,20}$/.test(offset)) return [];
    if (typeof atMs !== 'number' || !Number.isFinite(atMs)) return [];
    return [{ atMs, position: { line: batch.line, offset: BigInt(offset) } }];
  });
}

/** Bytes from `from` up to `to`, which must lie within the batch, in order. */
export async function* readBatch(
  home: JournalHome,
  batch: OpenBatch,
  from: bigint,
  to: bigint,
): AsyncGenerator<Buffer> {
  for (const segment of batch.segments) {
    const end = segment.from + BigInt(segment.sizeBytes);
    if (end <= from || segment.from >= to) continue;
    const start = from > segment.from ? Number(from - segment.from) : 0;
    const stop = to < end ? Number(to - segment.from) : segment.sizeBytes;
    yield* readSegment(home, batch, segment, start, stop);
  }
}

async function* readSegment(
  home: JournalHome,
  batch: OpenBatch,
  segment: OpenSegment,
  start: number,
  stop: number,
): AsyncGenerator<Buffer> {
  const size = batch.chunkSizeBytes;
  for (let chunk = Math.floor(start / size); chunk * size < stop; chunk += 1) {
    const bytes = await home.readBlob(
      'data',
      segment.content.subarray(chunk * 32, chunk * 32 + 32),
    );
    const expected = Math.min(size, segment.sizeBytes - chunk * size);
    if (bytes.length !== expected)
      throw errors.recordInvalid([batch.name, `a chunk of ${segment.name} has a wrong length`]);
    yield bytes.subarray(
      Math.max(0, start - chunk * size),
      Math.min(bytes.length, stop - chunk * size),
    );
  }
}
