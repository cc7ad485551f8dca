/** Whole segments of a journal as one snapshot, so that thousands of pieces needn't be kept. */
import { type FileMetadata, madeMetadata, systemClock, timedId } from '#base';
import {
  type BatchSegment,
  batchFacts,
  type CaptureRecord,
  encodeTree,
  type JournalBatch,
  openJournalReader,
  type Repository,
  type RepositoryWriter,
  type Standing,
  type StoreAddress,
  type TreeNode,
  withWriter,
  writeCapture,
} from '#repository';
import type { CrashPoint } from '../crash-point.ts';
import { captureTags } from '../snapshot/tags.ts';

export type BatchSpan = {
  line: number;
  from: bigint;
  to: bigint;
  latestMs: number;
  /** How the journal stood within the span, by offset: as fine as the pieces tell that the batch replaces. */
  standings: readonly Standing[];
};

export type BatchOptions = {
  repository: Repository;
  address: StoreAddress;
  /** Type of the source, for the record and the snapshot's path. */
  source: string;
  spoolFolder: string;
  segmentSizeBytes: number;
  /** File name of the segment that begins here; must sort as the offsets do. */
  segmentName: (line: number, from: bigint) => string;
  crashPoint: CrashPoint;
};

/** Of the segments: a range is then read with few blobs, and none is read for nothing. */
const CHUNK_BYTES = 2 ** 20;
const LOCK = { waitMs: 60_000 };

/** The span must consist of whole segments that are all in the repository. Durable when it resolves. */
export async function writeBatch(options: BatchOptions, span: BatchSpan): Promise<JournalBatch> {
  const { repository, address, crashPoint } = options;
  const lock = await repository.lock('shared', LOCK);
  try {
    const startedAtMs = systemClock.nowMs();
    const id = timedId(startedAtMs);
    const writing = { workers: 1, heldLock: lock };
    const { saved, stats } = await withWriter(repository, writing, (writer) =>
      saveSegments(options, writer, span),
    );
    crashPoint('journal/batch-blobs-stored');
    lock.signal.throwIfAborted();
    const snapshot = await repository.snapshots.save({
      time: startedAtMs,
      tree: saved.tree,
      paths: [`/${options.source}/${address.store}/journal`],
      tags: captureTags(address, id),
    });
    crashPoint('journal/batch-snapshot-stored');
    const record: CaptureRecord = {
      id,
      address,
      source: options.source,
      kind: 'journal-batch',
      snapshot: snapshot.id,
      startedAtMs,
      endedAtMs: systemClock.nowMs(),
      start: { line: span.line, offset: span.from },
      end: { line: span.line, offset: span.to },
      clock: { offsetMs: 0, uncertaintyMs: 0 },
      chunkSizeBytes: CHUNK_BYTES,
      facts: batchFacts(saved.segments, span.standings),
      statistics: {
        files: saved.segments.length,
        directories: 0,
        bytes: Number(span.to - span.from),
        newBytes: stats.newBytes,
        storedBytes: stats.storedBytes,
      },
      problems: [],
      problemCount: 0,
    };
    const name = await writeCapture(repository, record, span.latestMs);
    crashPoint('journal/batch-stored');
    const { line, from, to, latestMs } = span;
    return { line, from, to, latestMs, name, id };
  } finally {
    await lock.release();
  }
}

async function saveSegments(
  options: BatchOptions,
  writer: RepositoryWriter,
  span: BatchSpan,
): Promise<{ tree: string; segments: BatchSegment[] }> {
  const { repository, address, spoolFolder, segmentName, segmentSizeBytes } = options;
  const reader = openJournalReader(repository, address, { spoolFolder });
  const nodes: TreeNode[] = [];
  const segments: BatchSegment[] = [];
  for (let from = span.from; from < span.to; from += BigInt(segmentSizeBytes)) {
    const to = from + BigInt(segmentSizeBytes);
    const bytes = reader.read(span.line, from, to);
    const { ids } = await writer.saveStream(bytes, { kind: 'fixed', sizeBytes: CHUNK_BYTES });
    const name = segmentName(span.line, from);
    nodes.push({
      ...segmentMetadata(segmentSizeBytes, span.latestMs),
      name: Buffer.from(name),
      content: ids,
    });
    segments.push({ name, from, sizeBytes: segmentSizeBytes });
  }
  return { tree: await writer.saveTree(encodeTree(nodes)), segments };
}

function segmentMetadata(sizeBytes: number, latestMs: number): FileMetadata {
  const made = madeMetadata('file', 0o600, BigInt(latestMs) * 1_000_000n);
  return { ...made, sizeBytes: BigInt(sizeBytes) };
}
