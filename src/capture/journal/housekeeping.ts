/** Keeps the number of pieces small: whole segments become batches, small pieces become larger ones. */

import { systemClock } from '#base';
import {
  type JournalPiece,
  joinStretches,
  openJournalReader,
  removePiece,
  type Standing,
  type Stretch,
  writePiece,
} from '#repository';
import { type BatchOptions, type BatchSpan, writeBatch } from './batch.ts';
import type { Shelf } from './shelf.ts';

export type HousekeepingOptions = BatchOptions & {
  shelf: Shelf;
  /** A batch is written when whole segments of pieces are this old or this many bytes. */
  batchAfterMs: number;
  batchAtBytes: number;
  /** Small pieces are joined when there are more than this. */
  joinAbove: number;
};

const SMALL_PIECE_BYTES = 1n << 20n;
const JOINED_PIECE_BYTES = 4n << 20n;
/** Pieces of the same ten minutes are joined and no others: a piece tells one instant alone, its last. */
const JOINED_PIECE_MS = 600_000;

/** What one pass has done. */
export type HousekeepingOutcome = { batches: number; joined: number };

export class Housekeeping {
  readonly #options: HousekeepingOptions;
  /** When a whole segment was first seen in pieces, by line. */
  readonly #wholeSinceMs = new Map<number, number>();

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  /**
   * One pass. A crash at any place leaves bytes in two places at most, never in none: what replaces pieces is durable
   * before they go, and what a crash left over goes here.
   */
  async pass(): Promise<HousekeepingOutcome> {
    const outcome = { batches: 0, joined: 0 };
    await this.#removeRedundant();
    for (let span = this.#dueSpan(); span; span = this.#dueSpan()) {
      this.#options.shelf.addBatch(await writeBatch(this.#options, span));
      this.#wholeSinceMs.delete(span.line);
      outcome.batches += 1;
      await this.#removeRedundant();
    }
    for (const run of this.#joinableRuns()) {
      await this.#join(run);
      outcome.joined += run.length;
      await this.#removeRedundant();
    }
    return outcome;
  }

  async #removeRedundant(): Promise<void> {
    const { shelf, repository, crashPoint } = this.#options;
    for (const piece of shelf.redundantPieces()) {
      await removePiece(repository, piece);
      shelf.dropPiece(piece.name);
      crashPoint('journal/batch-piece-removed');
    }
  }

  /** The next span of whole segments that is worth a batch, at most `batchAtBytes` long. */
  #dueSpan(): BatchSpan | undefined {
    const { shelf, segmentSizeBytes, batchAtBytes, batchAfterMs } = this.#options;
    const size = BigInt(segmentSizeBytes);
    const nowMs = systemClock.monotonicMs();
    const least = BigInt(Math.max(1, Math.floor(batchAtBytes / segmentSizeBytes))) * size;
    // What a batch overlaps in its first segment's beginning may still be in pieces that straddle it: that is no matter.
    for (const run of wholeRuns(shelf, size)) {
      const sinceMs = this.#wholeSinceMs.get(run.line) ?? nowMs;
      this.#wholeSinceMs.set(run.line, sinceMs);
      const bytes = run.to - run.from;
      if (bytes < least && nowMs - sinceMs < batchAfterMs) continue;
      const to = bytes > least ? run.from + least : run.to;
      const standings = standingsWithin(shelf.pieces(), { ...run, to });
      const latestMs = standings.reduce((latest, { atMs }) => Math.max(latest, atMs), 0);
      return { line: run.line, from: run.from, to, latestMs, standings };
    }
    return undefined;
  }

  /** Runs of small pieces that follow one another. Empty while they are few. */
  #joinableRuns(): JournalPiece[][] {
    const small = this.#options.shelf
      .pieces()
      .filter((piece) => piece.to - piece.from < SMALL_PIECE_BYTES);
    if (small.length <= this.#options.joinAbove) return [];
    const runs: JournalPiece[][] = [];
    let run: JournalPiece[] = [];
    for (const piece of small) {
      const first = run[0];
      const last = run.at(-1);
      const follows =
        first !== undefined &&
        last?.line === piece.line &&
        last.to === piece.from &&
        periodOf(last) === periodOf(piece) &&
        piece.to - first.from <= JOINED_PIECE_BYTES;
      if (!follows) {
        if (run.length > 1) runs.push(run);
        run = [];
      }
      run.push(piece);
    }
    if (run.length > 1) runs.push(run);
    return runs;
  }

  async #join(run: readonly JournalPiece[]): Promise<void> {
    const { repository, address, spoolFolder, shelf, crashPoint } = this.#options;
    const first = run[0] as JournalPiece;
    const last = run.at(-1) as JournalPiece;
    const reader = openJournalReader(repository, address, { spoolFolder });
    const parts: Buffer[] = [];
    for await (const part of reader.read(first.line, first.from, last.to))
      parts.push(Buffer.from(part));
    const latestMs = Math.max(...run.map((piece) => piece.latestMs));
    const start = { line: first.line, from: first.from, latestMs };
    shelf.addPiece(await writePiece(repository, address, start, Buffer.concat(parts)));
    crashPoint('journal/pieces-joined');
  }
}

function periodOf({ latestMs }: JournalPiece): number {
  return Math.floor(latestMs / JOINED_PIECE_MS);
}

/** Whole segments that lie in pieces alone, as runs. */
function wholeRuns(shelf: Shelf, size: bigint): Stretch[] {
  const runs: Stretch[] = [];
  for (const stretch of joinStretches(shelf.pieces())) {
    const from = ((stretch.from + size - 1n) / size) * size;
    const to = (stretch.to / size) * size;
    if (from < to) runs.push({ line: stretch.line, from, to, latestMs: stretch.latestMs });
  }
  return runs.flatMap((run) => withoutBatches(run, shelf));
}

/** A piece that straddles the end of a batch stays, and must not make its segment due again. */
function withoutBatches(run: Stretch, shelf: Shelf): Stretch[] {
  let left = [run];
  for (const batch of shelf.batches) {
    if (batch.line !== run.line) continue;
    left = left.flatMap((one) => [
      ...(one.from < batch.from && one.from < one.to
        ? [{ ...one, to: batch.from < one.to ? batch.from : one.to }]
        : []),
      ...(one.to > batch.to ? [{ ...one, from: batch.to > one.from ? batch.to : one.from }] : []),
    ]);
  }
  return left;
}

function standingsWithin(
  pieces: readonly JournalPiece[],
  { line, from, to }: Pick<Stretch, 'line' | 'from' | 'to'>,
): Standing[] {
  return pieces
    .filter((piece) => piece.line === line && piece.to > from && piece.to <= to)
    .filter(({ latestMs }) => latestMs > 0)
    .map((piece) => ({ offset: piece.to, atMs: piece.latestMs }));
}
