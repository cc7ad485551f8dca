/** Pieces that are read one after another: those that come next are on their way while one is used. */
import type { RecordsHome } from '../records/record-files.ts';
import { type JournalPiece, readPiece } from './pieces.ts';

/** Plain bytes, so that long pieces need little memory. */
const AHEAD_BYTES = 16 * 2 ** 20;
/** Short pieces from afar: most of reading one is waiting. */
const MOST_AHEAD = 32;

export class PiecesAhead {
  readonly #home: RecordsHome;
  readonly #underWay = new Map<string, Promise<Buffer>>();

  constructor(home: RecordsHome) {
    this.#home = home;
  }

  /** In the order in which they will be asked for; as many as are worth it are begun. */
  expect(pieces: Iterable<JournalPiece>): void {
    let bytes = 0;
    let count = 0;
    for (const piece of pieces) {
      bytes += Number(piece.to - piece.from);
      count += 1;
      if (count > 1 && (bytes > AHEAD_BYTES || count > MOST_AHEAD)) return;
      if (!this.#underWay.has(piece.name)) this.#begin(piece);
    }
  }

  /** As `readPiece`, once for each. */
  async read(piece: JournalPiece): Promise<Buffer> {
    const reading = this.#underWay.get(piece.name) ?? readPiece(this.#home, piece);
    this.#underWay.delete(piece.name);
    return await reading;
  }

  #begin(piece: JournalPiece): void {
    const reading = readPiece(this.#home, piece);
    reading.catch(() => {
      // Told to whoever asks for it, should anybody.
    });
    this.#underWay.set(piece.name, reading);
  }
}
