/** Where the stream stands, and whether what comes follows it: a jump that nobody told of is recorded as a gap. */
import type { Position } from '#repository';
import type { JournalNotes } from './notes.ts';

export class StreamHead {
  readonly #notes: JournalNotes;
  readonly #wholeUntilMs: (place: Position) => number;
  #head: Position | undefined;
  #noted: Promise<void> = Promise.resolve();

  /** `wholeUntilMs`: the latest instant up to which nothing is missing before a place. */
  constructor(notes: JournalNotes, wholeUntilMs: (place: Position) => number) {
    this.#notes = notes;
    this.#wholeUntilMs = wholeUntilMs;
  }

  /** Resolves when what was noticed is recorded. Rejects where that failed: the stream must begin again. */
  get noted(): Promise<void> {
    return this.#noted;
  }

  /** The stream begins here, or anywhere (undefined): that is no jump. */
  beginAt(position: Position | undefined): void {
    this.#head = position;
    this.#noted = this.#noted.catch(() => {
      // It was told to whoever waited; the stream begins again before the jump, which then shows again.
    });
  }

  /** Bytes came from `start` to `end`. */
  moved(start: Position, end: Position): void {
    const head = this.#head;
    this.#head = end;
    if (this.#notes.hasOpenGap) this.#note(() => this.#notes.goesOn(start));
    else if (head && head.line === start.line && start.offset > head.offset) {
      const because = 'the stream went on at a later place than it had ended';
      const lostFromMs = this.#wholeUntilMs(head);
      this.#note(() => this.#notes.gap({ from: head, to: start, because }, lostFromMs));
    }
  }

  #note(write: () => Promise<void>): void {
    this.#noted = this.#noted.then(write);
    // Whoever waits for it before syncing is told.
    this.#noted.catch(() => {});
  }
}
