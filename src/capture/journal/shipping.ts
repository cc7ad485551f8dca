/**
 * The journal of one store on its way: from the source into the spool, fsynced in groups, and from there into the
 * repository as pieces and batches. A crash at any place loses nothing that was reported as flushed: it is in the spool
 * or in the repository, and what lies in both is found out at the next start.
 */
import { EventEmitter } from 'node:events';
import fs from 'node:fs/promises';
import path from 'node:path';
import { type Clock, type FileLock, lockFile, systemClock } from '#base';
import { openSpool, type Position, type Spool } from '#repository';
import type { JournalSink } from '#sources';
import { type CrashPoint, noCrash } from '../crash-point.ts';
import { errors } from '../errors.ts';
import { goFirst } from '../precedence.ts';
import { flushPosition, shippedEnd } from './flush.ts';
import type { ForgottenJournal } from './forget.ts';
import { Housekeeping } from './housekeeping.ts';
import { Lag } from './lag.ts';
import { JournalNotes } from './notes.ts';
import type { JournalShippingOptions, ShippingStatus } from './options.ts';
import { PieceShipper } from './piece-shipper.ts';
import { resumePosition, wholeUntilMs } from './resume.ts';
import { Shelf } from './shelf.ts';
import { StreamHead } from './stream-head.ts';
import { Upkeep } from './upkeep.ts';

/** Memory for what isn't fsynced yet. */
const PENDING_BOUND_BYTES = 16 * 2 ** 20;

/**
 * Finds out what is where and begins to ship what a crash left in the spool. Throws `capture/spool-busy` where another
 * process has the spool.
 */
export async function openJournalShipping(
  options: JournalShippingOptions,
): Promise<JournalShipping> {
  const { repository, address, spoolFolder, clock = systemClock } = options;
  await fs.mkdir(spoolFolder, { recursive: true, mode: 0o700 });
  const lock = await lockFile(path.join(spoolFolder, 'lock'));
  if (!lock) throw errors.spoolBusy([spoolFolder]);
  try {
    const spool = await openSpool(spoolFolder);
    const shelf = await Shelf.load(repository, address);
    const notes = await JournalNotes.load(repository, address, clock);
    return new JournalShipping(options, { lock, spool, shelf, notes });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

export class JournalShipping implements JournalSink {
  readonly #options: JournalShippingOptions;
  readonly #clock: Clock;
  readonly #lock: FileLock;
  readonly #spool: Spool;
  readonly #shelf: Shelf;
  readonly #notes: JournalNotes;
  readonly #shipper: PieceShipper;
  readonly #upkeep: Upkeep;
  readonly #lag: Lag;
  readonly #head: StreamHead;
  readonly #events = new EventEmitter().setMaxListeners(100);
  readonly #crashPoint: CrashPoint;
  readonly #stopGoingFirst: () => void;
  #syncing: Promise<void> | undefined;
  #failure: unknown;
  #trouble: unknown;
  #closed = false;
  #flushable: Position | undefined;
  #shippedAtMs: number | undefined;
  #heard: { atMs: number; senderEnd: Position; behindMs: number } | undefined;

  constructor(
    options: JournalShippingOptions,
    parts: { lock: FileLock; spool: Spool; shelf: Shelf; notes: JournalNotes },
  ) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#crashPoint = options.crashPoint ?? noCrash;
    this.#lock = parts.lock;
    this.#spool = parts.spool;
    this.#shelf = parts.shelf;
    this.#notes = parts.notes;
    this.#lag = new Lag(this.#clock);
    this.#head = new StreamHead(this.#notes, (place) => this.#wholeUntilMs(place));
    const { repository, address } = options;
    this.#shipper = new PieceShipper({
      repository,
      address,
      crashPoint: this.#crashPoint,
      shelf: this.#shelf,
      spool: this.#spool,
      everyMs: options.shipEveryMs ?? 200,
      onShipped: () => this.#onShipped(),
      onTrouble: (error) => this.#onTrouble(error),
    });
    this.#upkeep = new Upkeep({
      repository,
      address,
      log: options.log,
      clock: this.#clock,
      spool: this.#spool,
      shelf: this.#shelf,
      notes: this.#notes,
      housekeeping: housekeepingOf(options, this.#shelf),
      spoolKeepBytes: options.spoolKeepBytes ?? 256 * 2 ** 20,
      watermarkEveryMs: options.watermarkEveryMs ?? 3_600_000,
      everyMs: options.housekeepEveryMs ?? 10_000,
      shippedAtMs: () => this.#shippedAtMs,
      standing: () => this.#standing(),
      onRoom: () => this.#events.emit('moved'),
    });
    this.#head.beginAt(this.#resume());
    for (const stretch of this.#spool.stretches()) this.#lag.arrived(stretch.line, stretch.to);
    this.#takeStock();
    this.#shipper.wake();
    this.#stopGoingFirst = goFirst(repository, () => this.#lag.oldestMs());
  }

  // -------------------------------------------------------------- JournalSink

  append(line: number, offset: bigint, bytes: Uint8Array, completeThroughMs: number): void {
    this.#spool.append(line, offset, bytes, completeThroughMs);
    const end = offset + BigInt(bytes.length);
    this.#head.moved({ line, offset }, { line, offset: end });
    this.#lag.arrived(line, end);
    this.#startSyncing();
  }

  /** Rejects where the spool failed; the stream then begins again at `resumeFrom`. */
  async ready(): Promise<void> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      if (this.#closed || this.#hasRoom()) return;
      await this.#upkeep.makeRoom();
      if (this.#hasRoom() || this.#failure) continue;
      await new Promise<void>((resolve) => this.#events.once('moved', resolve));
    }
  }

  async lineStarted(line: Parameters<JournalSink['lineStarted']>[0]): Promise<void> {
    await this.#notes.line(line);
    this.#options.onLineStarted?.(line.line);
  }

  async gap(gap: Parameters<JournalSink['gap']>[0]): Promise<void> {
    await this.#head.noted;
    await this.#notes.gap(gap, this.#wholeUntilMs(gap.from));
    this.#head.beginAt(undefined);
  }

  heard(at: Parameters<JournalSink['heard']>[0]): void {
    const { ageMs, behindMs } = at.relayed ?? { ageMs: 0, behindMs: 0 };
    this.#heard = { atMs: this.#clock.nowMs() - ageMs, senderEnd: at.senderEnd, behindMs };
  }

  resumeFrom(): Position | undefined {
    if (this.#failure) {
      this.#failure = undefined;
      this.#spool.goOn();
      this.#lag.forget();
    }
    const position = this.#resume();
    this.#head.beginAt(position);
    return position;
  }

  flushable(): Position | undefined {
    return this.#flushable;
  }

  onFlushable(listener: () => void): () => void {
    this.#events.on('flushable', listener);
    return () => this.#events.off('flushable', listener);
  }

  // -------------------------------------------------------------- beside the contract

  status(): ShippingStatus {
    const figures = this.#lag.figures();
    return {
      ...figures,
      lagMs: figures.lagMs + (this.#heard?.behindMs ?? 0),
      synced: this.#spool.synced,
      shipped: this.#spool.shipped,
      unshippedBytes: this.#unshippedBytes(),
      spoolBytes: this.#spool.sizeBytes,
      pieces: this.#shelf.pieceCount,
      batches: this.#shelf.batches.length,
      shippedAtMs: this.#shippedAtMs,
      heardAtMs: this.#heard?.atMs,
      trouble: this.#failure ?? this.#trouble ?? this.#upkeep.trouble,
    };
  }

  /** Resolves when everything appended so far is in the repository. Rejects with the first failure. */
  async shipAll(): Promise<void> {
    try {
      await this.#spool.sync();
    } catch (error) {
      // Whoever asks `resumeFrom` next must find it known, also before the syncing behind the appends has told.
      this.#failure ??= error;
      throw error;
    }
    await this.#head.noted;
    while (this.#shipper.unshipped().length > 0) await this.#shipper.round();
  }

  /** Writes batches that are due, joins small pieces, notes a watermark where one is due. */
  async housekeep(): Promise<void> {
    await this.#upkeep.pass();
  }

  /** Notes now that the journal stands where it stands: instants up to now become recoverable though nothing changed. */
  async noteWatermark(): Promise<void> {
    await this.#upkeep.noteWatermark();
  }

  /** As `forgetJournal`, which must not be called beside a running stream. */
  async forget(before: Position): Promise<ForgottenJournal> {
    return await this.#upkeep.forget(before);
  }

  /** Syncs and stops; what isn't shipped is shipped after the next start. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopGoingFirst();
    this.#events.emit('moved');
    try {
      await this.#shipper.close();
      await this.#upkeep.close();
      // Where it failed, `ready` has told.
      await this.#head.noted.catch(() => {});
      await this.#spool.sync();
    } finally {
      await this.#spool.close();
      await this.#lock.release();
    }
  }

  // -------------------------------------------------------------- syncing and shipping

  #startSyncing(): void {
    if (this.#syncing || this.#closed) return;
    this.#syncing = this.#syncAll().finally(() => {
      this.#syncing = undefined;
      if (this.#spool.pendingBytes > 0 && !this.#failure) this.#startSyncing();
    });
  }

  async #syncAll(): Promise<void> {
    try {
      await this.#head.noted;
      await this.#spool.sync();
      this.#crashPoint('journal/spooled');
      this.#moved();
      this.#shipper.wake();
    } catch (error) {
      this.#failure = error;
      this.#options.log.error({ err: error, store: this.#options.address.store }, 'spool failed');
      this.#events.emit('moved');
    }
  }

  #onShipped(): void {
    this.#shippedAtMs = this.#clock.nowMs();
    this.#takeStock();
  }

  #takeStock(): void {
    const shipped = shippedEnd(
      this.#shelf.covered,
      this.#shipper.unshipped(),
      this.#spool.shipped,
      () => this.#resume(),
    );
    if (shipped) {
      this.#spool.markShipped(shipped);
      this.#lag.reached(shipped.line, shipped.offset);
    }
    this.#moved();
  }

  #onTrouble(error: unknown): void {
    const { log, address } = this.#options;
    if (error && !this.#trouble) log.warn({ err: error, store: address.store }, 'shipping fails');
    if (!error && this.#trouble) log.info({ store: address.store }, 'shipping goes on');
    this.#trouble = error;
  }

  /** Works out anew what counts as flushed; it never goes back on one line. */
  #moved(): void {
    const { flush = 'shipped', slotBoundBytes = 2 ** 30 } = this.#options;
    const spooled = flush === 'spooled' || this.#unshippedBytes() > slotBoundBytes;
    const next = flushPosition(this.#flushable, spooled ? this.#resume() : this.#spool.shipped);
    if (next !== this.#flushable) {
      this.#flushable = next;
      this.#events.emit('flushable');
    }
    this.#events.emit('moved');
  }

  #resume(): Position | undefined {
    return resumePosition(this.#shelf.covered, this.#spool.stretches(), this.#notes.gaps);
  }

  #wholeUntilMs(place: Position): number {
    const heard = this.#heard && { atMs: this.#heard.atMs, position: this.#heard.senderEnd };
    const stretches = [...this.#shelf.covered, ...this.#spool.stretches()];
    return (
      wholeUntilMs(place, stretches, [heard, this.#notes.lastWatermark]) ?? this.#clock.nowMs()
    );
  }

  #unshippedBytes(): number {
    return this.#shipper.unshipped().reduce((sum, { from, to }) => sum + Number(to - from), 0);
  }

  #hasRoom(): boolean {
    const bound = this.#options.spoolBoundBytes ?? 2 * 2 ** 30;
    return this.#spool.pendingBytes < PENDING_BOUND_BYTES && this.#spool.sizeBytes < bound;
  }

  /** Known only where all that the sender told of is in the repository. */
  #standing(): { atMs: number; position: Position } | undefined {
    const heard = this.#heard;
    const shipped = this.#spool.shipped;
    if (!heard || !shipped || this.#shipper.unshipped().length > 0) return undefined;
    const { line, offset } = heard.senderEnd;
    if (line !== shipped.line || offset !== shipped.offset) return undefined;
    return { atMs: heard.atMs, position: shipped };
  }
}

function housekeepingOf(options: JournalShippingOptions, shelf: Shelf): Housekeeping {
  return new Housekeeping({
    repository: options.repository,
    address: options.address,
    source: options.source,
    spoolFolder: options.spoolFolder,
    shelf,
    segmentSizeBytes: options.segmentSizeBytes ?? 16 * 2 ** 20,
    segmentName: options.segmentName ?? hexSegmentName,
    batchAfterMs: options.batchAfterMs ?? 300_000,
    batchAtBytes: options.batchAtBytes ?? 2 ** 30,
    joinAbove: options.joinAbove ?? 256,
    crashPoint: options.crashPoint ?? noCrash,
  });
}

function hexSegmentName(line: number, from: bigint): string {
  return `${line.toString(16).padStart(8, '0')}-${from.toString(16).padStart(16, '0')}`;
}
