/** What is done beside the stream now and then: batches, joining, making room in the spool, the hourly watermark. */
import { type Clock, type Logger, messageOf } from '#base';
import type { Position, Repository, Spool, StoreAddress } from '#repository';
import { type ForgottenJournal, forgetJournal } from './forget.ts';
import type { Housekeeping } from './housekeeping.ts';
import type { JournalNotes } from './notes.ts';
import type { Shelf } from './shelf.ts';

export type UpkeepOptions = {
  repository: Repository;
  address: StoreAddress;
  spool: Spool;
  shelf: Shelf;
  notes: JournalNotes;
  housekeeping: Housekeeping;
  log: Logger;
  clock: Clock;
  /** Shipped bytes stay in the spool up to this much. */
  spoolKeepBytes: number;
  watermarkEveryMs: number;
  /** 0: never by itself. */
  everyMs: number;
  /** When something was last shipped in this process, ms since 1970. */
  shippedAtMs: () => number | undefined;
  /** Where the journal stands and since when that is known; undefined where not all of it is in the repository. */
  standing: () => { atMs: number; position: Position } | undefined;
  /** The spool may have room again. */
  onRoom: () => void;
};

export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #timer: NodeJS.Timeout | undefined;
  /** One thing at a time: they move the same pieces. */
  #turn: Promise<unknown> = Promise.resolve();
  #trouble: unknown;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    if (options.everyMs > 0) {
      this.#timer = setInterval(() => this.#passAside(), options.everyMs);
      this.#timer.unref();
    }
  }

  /** Why the last pass failed, until one succeeds. */
  get trouble(): unknown {
    return this.#trouble;
  }

  pass(): Promise<void> {
    return this.#inTurn(async () => {
      const { housekeeping, spool, shelf, spoolKeepBytes, onRoom } = this.#options;
      await housekeeping.pass();
      if (spool.sizeBytes > spoolKeepBytes) await this.makeRoom();
      else for (const stretch of shelf.batched()) await spool.release(stretch);
      onRoom();
      await this.#watermarkWhenIdle();
    });
  }

  /** Removes all from the spool that is in the repository. */
  async makeRoom(): Promise<void> {
    const { spool, shelf } = this.#options;
    for (const stretch of shelf.covered) await spool.release(stretch);
  }

  forget(before: Position): Promise<ForgottenJournal> {
    return this.#inTurn(async () => {
      const { repository, address, shelf } = this.#options;
      const forgotten = await forgetJournal(repository, address, before);
      shelf.forget(before);
      return forgotten;
    });
  }

  async noteWatermark(): Promise<void> {
    const standing = this.#options.standing();
    if (standing) await this.#options.notes.watermark(standing);
  }

  async #watermarkWhenIdle(): Promise<void> {
    const { notes, clock, watermarkEveryMs, shippedAtMs } = this.#options;
    const lastMs = Math.max(notes.lastWatermark?.atMs ?? 0, shippedAtMs() ?? 0);
    if (clock.nowMs() - lastMs >= watermarkEveryMs) await this.noteWatermark();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    // The next one doesn't depend on how this one ended; whoever asked for it is told.
    this.#turn = done.catch(() => {});
    return done;
  }

  #passAside(): void {
    const { log, address } = this.#options;
    this.pass().then(
      () => {
        this.#trouble = undefined;
      },
      (error) => {
        log.warn({ store: address.store, why: messageOf(error) }, 'journal upkeep is put off');
        this.#trouble = error;
      },
    );
  }

  /** Begins nothing more; waits for what is under way. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#turn;
  }
}
