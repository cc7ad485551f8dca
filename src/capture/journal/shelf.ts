/** What of a store's journal is in the repository, as the one writer of it knows: listed once, then kept up to date. */
import {
  type JournalBatch,
  type JournalPiece,
  joinStretches,
  listBatches,
  listPieces,
  type Repository,
  type StoreAddress,
  type Stretch,
} from '#repository';

export class Shelf {
  readonly #pieces: Map<string, JournalPiece>;
  #batches: JournalBatch[];
  /** Joined: as good as always one stretch a line. */
  #covered: Stretch[];

  private constructor(pieces: readonly JournalPiece[], batches: readonly JournalBatch[]) {
    this.#pieces = new Map(pieces.map((piece) => [piece.name, piece]));
    this.#batches = [...batches];
    this.#covered = joinStretches([...pieces, ...batches].map(stretchOf));
  }

  static async load(repository: Pick<Repository, 'sealed'>, address: StoreAddress): Promise<Shelf> {
    const pieces = await listPieces(repository, address);
    return new Shelf(pieces, await listBatches(repository, address));
  }

  /** Bytes that are durable in the repository, by line and offset. */
  get covered(): readonly Stretch[] {
    return this.#covered;
  }
  get batches(): readonly JournalBatch[] {
    return this.#batches;
  }
  /** What is in the repository up to the end of each line's batches. */
  batched(): Stretch[] {
    const clipped: Stretch[] = [];
    for (const { line, to } of joinStretches(this.#batches.map(stretchOf)))
      for (const cover of this.#covered)
        if (cover.line === line && cover.from < to)
          clipped.push({ ...cover, to: cover.to < to ? cover.to : to });
    return clipped;
  }
  /** By line and offset. */
  pieces(): JournalPiece[] {
    return [...this.#pieces.values()].sort((a, b) =>
      a.line === b.line ? (a.from < b.from ? -1 : 1) : a.line - b.line,
    );
  }
  get pieceCount(): number {
    return this.#pieces.size;
  }

  addPiece(piece: JournalPiece): void {
    this.#pieces.set(piece.name, piece);
    this.#covered = joinStretches([...this.#covered, stretchOf(piece)]);
  }

  addBatch(batch: JournalBatch): void {
    this.#batches.push(batch);
    this.#covered = joinStretches([...this.#covered, stretchOf(batch)]);
  }

  /** Only for a piece whose bytes lie elsewhere in the repository too: what is covered stays covered. */
  dropPiece(name: string): void {
    this.#pieces.delete(name);
  }

  /** What lay wholly before this was removed from the repository. It counts as covered: it isn't to be shipped again. */
  forget(before: { line: number; offset: bigint }): void {
    const isKept = (span: Stretch) =>
      span.line > before.line || (span.line === before.line && span.to > before.offset);
    this.#batches = this.#batches.filter(isKept);
    for (const piece of this.pieces()) if (!isKept(piece)) this.#pieces.delete(piece.name);
  }

  /** Pieces whose bytes all lie in one batch, or in one larger piece: a crash came before they were removed. */
  redundantPieces(): JournalPiece[] {
    const redundant: JournalPiece[] = [];
    let widest: JournalPiece | undefined;
    for (const piece of this.pieces()) {
      const inside = (span: Stretch) =>
        span.line === piece.line && span.from <= piece.from && piece.to <= span.to;
      if (this.#batches.some(inside)) redundant.push(piece);
      else if (widest && inside(widest)) redundant.push(piece);
      else if (widest?.line === piece.line && widest.from === piece.from) {
        redundant.push(widest);
        widest = piece;
      } else widest = piece;
    }
    return redundant;
  }
}

function stretchOf({ line, from, to, latestMs }: Stretch): Stretch {
  return { line, from, to, latestMs };
}

/** What lies in `stretches` and not in `covered`, by line and offset. Both are joined. */
export function uncovered(
  stretches: readonly Stretch[],
  covered: readonly Stretch[],
): { line: number; from: bigint; to: bigint }[] {
  const left: { line: number; from: bigint; to: bigint }[] = [];
  for (const { line, from, to } of stretches) {
    let at = from;
    for (const cover of covered) {
      if (cover.line !== line || cover.to <= at || cover.from >= to) continue;
      if (cover.from > at) left.push({ line, from: at, to: cover.from });
      at = cover.to;
    }
    if (at < to) left.push({ line, from: at, to });
  }
  return left;
}
