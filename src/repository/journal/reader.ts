/** One reader over pieces, batches and the local spool: the same bytes may lie in several of them. */
import { isHoldfastError } from '#base';
import { freeLarge } from '../crypto/sealer.ts';
import { errors } from '../errors.ts';
import { listWatermarks, readGaps, readLines } from '../records/journal-notes.ts';
import type {
  JournalGap,
  JournalLine,
  Position,
  StoreAddress,
  Watermark,
} from '../records/records.ts';
import {
  batchStandings,
  type JournalBatch,
  type JournalHome,
  listBatches,
  type OpenBatch,
  openBatch,
  readBatch,
} from './batches.ts';
import type { JournalReader, JournalSpan } from './journal.ts';
import { type JournalPiece, listPieces } from './pieces.ts';
import { PiecesAhead } from './pieces-ahead.ts';
import { byPlace, joinStretches, sentUntil, standingUntil, unbrokenEnd } from './spans.ts';
import { readStretch, type SpoolFile, scanSpoolFolder } from './spool-file.ts';

export type JournalReaderOptions = {
  /** The folder of this store's spool on this host; may be absent or in use by a writer. */
  spoolFolder?: string;
};

type Holding =
  | { where: 'spool'; file: SpoolFile }
  | { where: 'piece'; piece: JournalPiece }
  | { where: 'batch'; batch: JournalBatch };

/** A place where a stretch of the journal lies. */
type Held = { line: number; from: bigint; to: bigint; latestMs: number; holding: Holding };

/** Cheaper first: the local disk, then whole segments, then pieces. */
const PREFERENCE = { spool: 0, batch: 1, piece: 2 };

/**
 * What there is, is listed once, at the first question, and again when something has moved meanwhile; open another
 * reader to see what was added later.
 */
export function openJournalReader(
  home: JournalHome,
  address: StoreAddress,
  options: JournalReaderOptions = {},
): JournalReader {
  let listed: Promise<Held[]> | undefined;
  const list = () => {
    listed ??= listHeld(home, address, options.spoolFolder);
    // A failed listing isn't kept: the next question asks again.
    listed.catch(() => {
      listed = undefined;
    });
    return listed;
  };
  const reader = new HeldReader(home);
  return {
    address,
    async spans(): Promise<JournalSpan[]> {
      const spans = (await list()).map(({ holding, ...span }) => ({
        ...span,
        where: holding.where,
      }));
      return joinStretches(spans, (a, b) => a.where === b.where);
    },
    lines: (): Promise<JournalLine[]> => readLines(home, address),
    gaps: (): Promise<JournalGap[]> => readGaps(home, address),
    watermarks: (): Promise<Watermark[]> => listWatermarks(home, address),
    async standings(around = []): Promise<Watermark[]> {
      const all = await list();
      const known = all
        .filter(({ latestMs }) => latestMs > 0)
        .map(({ line, to, latestMs }) => ({ atMs: latestMs, position: { line, offset: to } }));
      const holds = ({ line, from, to }: Held) =>
        around.some((at) => at.line === line && from <= at.offset && at.offset <= to);
      const finer = all.map(({ holding, ...span }) =>
        holding.where === 'batch' && holds({ holding, ...span })
          ? batchStandings(home, holding.batch)
          : [],
      );
      return [...known, ...(await Promise.all(finer)).flat()];
    },
    async sentBy(line, from, to, atMs): Promise<bigint> {
      const all = (await list()).filter((one) => one.line === line);
      const end = sentUntil(all, from, atMs);
      const batch = all.find(
        ({ holding, ...span }) => holding.where === 'batch' && span.from <= end && end < span.to,
      );
      const finer =
        batch?.holding.where === 'batch' && end < to
          ? await batchStandings(home, batch.holding.batch)
          : [];
      const within = standingUntil(finer, end, atMs);
      return within < to ? within : to;
    },
    async contiguousEnd(from: Position): Promise<bigint> {
      return unbrokenEnd(await list(), from.line, from.offset);
    },
    async *read(line: number, from: bigint, to: bigint): AsyncGenerator<Buffer> {
      let at = from;
      let relistedAt: bigint | undefined;
      while (at < to) {
        const before = at;
        const held = (await list()).filter((one) => one.line === line);
        const failure = yield* advance(reader.readOn(held, at, to), (length) => {
          at += BigInt(length);
        });
        if (at >= to) return;
        if (at === before && relistedAt === at) throw missing(address, line, at, held, failure);
        // Something may have moved from the spool to a piece, or from pieces to a batch: look once more.
        relistedAt = at;
        listed = undefined;
      }
    },
  };
}

async function listHeld(
  home: JournalHome,
  address: StoreAddress,
  spoolFolder: string | undefined,
): Promise<Held[]> {
  // In the direction in which bytes move, so that none slips through between two listings.
  const files = spoolFolder === undefined ? [] : await scanSpoolFolder(spoolFolder);
  const pieces = await listPieces(home, address);
  const batches = await listBatches(home, address);
  return [
    ...files
      .filter((file) => file.to > file.from)
      .map((file) => held(file, { where: 'spool', file })),
    ...batches.map((batch) => held(batch, { where: 'batch', batch })),
    ...pieces.map((piece) => held(piece, { where: 'piece', piece })),
  ];
}

function held(
  span: { line: number; from: bigint; to: bigint; latestMs: number },
  holding: Holding,
): Held {
  return { line: span.line, from: span.from, to: span.to, latestMs: span.latestMs, holding };
}

/** Hands the buffers on, telling their lengths; gives back what the inner reading returned. */
async function* advance<R>(
  inner: AsyncGenerator<Buffer, R>,
  took: (length: number) => void,
): AsyncGenerator<Buffer, R> {
  for (;;) {
    const next = await inner.next();
    if (next.done) return next.value;
    // Counted before it is handed over: whoever stops here and asks again must not get it twice.
    took(next.value.length);
    yield next.value;
  }
}

/** Where a read stops: nothing covers the place, or what does couldn't be read. */
type Stopped = { cause: unknown } | undefined;

class HeldReader {
  readonly #home: JournalHome;
  /** The batch read last: its record and tree are good for many ranges. */
  #open: { name: string; batch: Promise<OpenBatch> } | undefined;

  constructor(home: JournalHome) {
    this.#home = home;
  }

  /** As far as these places allow. One that can't be read is passed over where another holds the same bytes. */
  async *readOn(
    places: readonly Held[],
    from: bigint,
    to: bigint,
  ): AsyncGenerator<Buffer, Stopped> {
    const upcoming = [...places].sort(byPlace);
    const pieces = new PiecesAhead(this.#home);
    let next = 0;
    let active: Held[] = [];
    let at = from;
    let stopped: Stopped;
    while (at < to) {
      for (; next < upcoming.length && (upcoming[next] as Held).from <= at; next += 1)
        active.push(upcoming[next] as Held);
      active = active.filter((place) => place.to > at);
      const best = active.reduce<Held | undefined>(better, undefined);
      if (!best) return stopped;
      const end = best.to < to ? best.to : to;
      if (best.holding.where === 'piece') {
        pieces.expect(piecesFrom(upcoming, next, best.to, to));
      }
      try {
        for await (const bytes of this.#readHeld(best, at, end, pieces)) {
          at += BigInt(bytes.length);
          yield bytes;
        }
      } catch (error) {
        if (!isHoldfastError(error)) throw error;
        stopped = { cause: error };
      }
      if (at < end) active = active.filter((place) => place !== best);
    }
    return undefined;
  }

  async *#readHeld(
    place: Held,
    from: bigint,
    to: bigint,
    pieces: PiecesAhead,
  ): AsyncGenerator<Buffer> {
    const { holding } = place;
    if (holding.where === 'spool') {
      for await (const frame of readStretch(holding.file, from, to)) yield frame.bytes;
    } else if (holding.where === 'piece') {
      const bytes = await pieces.read(holding.piece);
      try {
        yield bytes.subarray(Number(from - place.from), Number(to - place.from));
      } finally {
        freeLarge(bytes);
      }
    } else yield* readBatch(this.#home, await this.#openBatch(holding.batch), from, to);
  }

  #openBatch(batch: JournalBatch): Promise<OpenBatch> {
    if (this.#open?.name !== batch.name)
      this.#open = { name: batch.name, batch: openBatch(this.#home, batch) };
    return this.#open.batch;
  }
}

/** Those that lie between the two places, the first ones first. `upcoming` is in order, and looked at from `next` on. */
function* piecesFrom(
  upcoming: readonly Held[],
  next: number,
  from: bigint,
  to: bigint,
): Generator<JournalPiece> {
  for (let index = next; index < upcoming.length; index += 1) {
    const { holding, ...span } = upcoming[index] as Held;
    if (span.from >= to) return;
    if (holding.where === 'piece' && span.from >= from) yield holding.piece;
  }
}

/** Of two places that hold the next byte: the one that is cheaper to read, then the one that reaches further. */
function better(best: Held | undefined, place: Held): Held {
  if (!best) return place;
  const rank = PREFERENCE[place.holding.where] - PREFERENCE[best.holding.where];
  const wins = rank === 0 ? place.to > best.to : rank < 0;
  return wins ? place : best;
}

function missing(
  address: StoreAddress,
  line: number,
  at: bigint,
  held: readonly Held[],
  stopped: Stopped,
) {
  const next = held
    .map((place) => place.from)
    .filter((from) => from > at)
    .reduce<bigint | undefined>((least, from) => (least && least < from ? least : from), undefined);
  const why = stopped
    ? ': what was there could not be read'
    : next === undefined
      ? ', and nothing after it'
      : `; it goes on at 0x${next.toString(16)}`;
  return errors.journalGap([address.store, line, `0x${at.toString(16)}`, why], {
    where: address.store,
    ...(stopped ? { cause: stopped.cause } : {}),
    facts: { line, offset: at.toString(), ...(next && { goesOnAt: next.toString() }) },
  });
}
