/** Moves what is fsynced in the spool into the repository, as pieces: a few times a second, several at once. */
import { pauseMs, systemClock } from '#base';
import { type Repository, type Spool, type StoreAddress, writePiece } from '#repository';
import type { CrashPoint } from '../crash-point.ts';
import { errors } from '../errors.ts';
import { type Shelf, uncovered } from './shelf.ts';

export type PieceShipperOptions = {
  repository: Pick<Repository, 'sealed'>;
  address: StoreAddress;
  spool: Spool;
  shelf: Shelf;
  /** The least time between two rounds: what arrives meanwhile goes together. */
  everyMs: number;
  crashPoint: CrashPoint;
  /** After each piece that is durable. */
  onShipped: () => void;
  /** A round failed (it will be tried again), or succeeded again (undefined). */
  onTrouble: (error: unknown) => void;
};

/** Small enough to be read, sealed and kept in memory at no cost that anybody notices. */
const PIECE_BYTES = 2 * 2 ** 20;
/** In a backlog: the storage makes each piece durable by itself, so fewer and larger ones are there earlier. */
const LARGEST_PIECE_BYTES = 8 * 2 ** 20;
const AT_ONCE = 4;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 30_000;

type Part = { line: number; from: bigint; to: bigint };

export class PieceShipper {
  readonly #options: PieceShipperOptions;
  readonly #ending = new AbortController();
  #running: Promise<void> | undefined;
  #lastRoundMs = Number.NEGATIVE_INFINITY;

  constructor(options: PieceShipperOptions) {
    this.#options = options;
  }

  unshipped(): Part[] {
    const { spool, shelf } = this.#options;
    return uncovered(spool.stretches(), shelf.covered);
  }

  /** Tells that there may be something to ship. */
  wake(): void {
    if (this.#running || this.#ending.signal.aborted) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      // Something may have come between the last look and now.
      if (this.unshipped().length > 0) this.wake();
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted && this.unshipped().length > 0) {
      const waitMs = this.#lastRoundMs + this.#options.everyMs - systemClock.monotonicMs();
      if (waitMs > 0) await pauseMs(waitMs, signal);
      try {
        await this.round();
        this.#options.onTrouble(undefined);
        retryMs = FIRST_RETRY_MS;
      } catch (error) {
        this.#options.onTrouble(error);
        await pauseMs(retryMs, signal);
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      }
    }
  }

  /** Ships what is fsynced now. Rejects with the first failure, after the pieces under way have ended. */
  async round(): Promise<void> {
    this.#lastRoundMs = systemClock.monotonicMs();
    const unshipped = this.unshipped();
    const pieceBytes = pieceBytesFor(unshipped);
    const parts = unshipped.flatMap((part) => cut(part, pieceBytes));
    let failure: { error: unknown } | undefined;
    const worker = async () => {
      for (let part = parts.shift(); part && !failure; part = parts.shift()) {
        try {
          await this.#ship(part);
        } catch (error) {
          failure ??= { error };
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    if (failure) throw failure.error;
  }

  async #ship(part: Part): Promise<void> {
    const { repository, address, spool, shelf, crashPoint, onShipped } = this.#options;
    const frames: Buffer[] = [];
    let latestMs = 0;
    for await (const frame of spool.read(part.line, part.from, part.to)) {
      frames.push(frame.bytes);
      latestMs = Math.max(latestMs, frame.sentAtMs);
    }
    const bytes = Buffer.concat(frames);
    if (BigInt(bytes.length) !== part.to - part.from)
      throw errors.journalBroken([address.store, 'lost bytes in its local spool: the disk failed']);
    const start = { line: part.line, from: part.from, latestMs };
    shelf.addPiece(await writePiece(repository, address, start, bytes));
    crashPoint('journal/piece-stored');
    onShipped();
  }

  /** Stops trying; what is under way ends first. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }
}

function pieceBytesFor(parts: readonly Part[]): bigint {
  const waiting = parts.reduce((sum, { from, to }) => sum + Number(to - from), 0);
  const share = Math.ceil(waiting / AT_ONCE);
  return BigInt(Math.min(Math.max(share, PIECE_BYTES), LARGEST_PIECE_BYTES));
}

function cut({ line, from, to }: Part, pieceBytes: bigint): Part[] {
  const parts: Part[] = [];
  for (let at = from; at < to; at += pieceBytes) {
    const end = at + pieceBytes;
    parts.push({ line, from: at, to: end < to ? end : to });
  }
  return parts;
}
