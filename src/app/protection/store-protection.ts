/** One store under protection: its captures one at a time, its watcher or journal, and what is to be said of it. */
import path from 'node:path';
import { type Logger, type Progress, sleepMs, systemClock } from '#base';
import { captureStore } from '#capture';
import { type Store, storeSettings } from '#environment';
import { outcomeOf } from '#recovery';
import { type CaptureRecord, newestCapture, type StoreAddress } from '#repository';
import type { Source, SourceContext, StoreSettings } from '#sources';
import { errors } from '../errors.ts';
import type { ProtectionContext } from './context.ts';
import { JournalKeeper } from './journal-keeper.ts';
import { explained, keepTrying, type Trouble } from './keep-trying.ts';
import { type Changes, gatherMs, PendingChanges, watchedOptions } from './pending-changes.ts';
import { QuietWatermark } from './quiet-watermark.ts';
import { createSlots } from './slots.ts';

export type ProtectedStore = Extract<Store, { own: Record<string, unknown> }>;

export type CaptureCause = 'changed' | 'asked';

export type StoreProtectionOptions = {
  context: ProtectionContext;
  store: ProtectedStore;
  source: Source;
  /** Called after each capture, before the next may begin. `why`: a watcher saw changes, or it was asked for. */
  onCaptured(record: CaptureRecord, why: CaptureCause): Promise<void>;
};

const STREAM_WITHIN_MS = 30_000;

export class StoreProtection {
  readonly store: ProtectedStore;
  readonly source: Source;
  readonly address: StoreAddress;
  readonly settings: StoreSettings;
  /** Present where the source has a journal and protection is continuous. */
  readonly journal: JournalKeeper | undefined;
  readonly #context: ProtectionContext;
  readonly #log: Logger;
  readonly #onCaptured: StoreProtectionOptions['onCaptured'];
  readonly #stop = new AbortController();
  /** One capture at a time; the next one builds on it. */
  readonly #turn = createSlots(1);
  readonly #changes = new PendingChanges();
  readonly #watermark: QuietWatermark;
  #loops: Promise<unknown>[] = [];
  #newest: CaptureRecord | undefined;
  #capturingSinceMs: number | undefined;
  /** Since when changes of the capture under way weren't captured. */
  #takenSinceMs: number | undefined;
  #progress: Progress | undefined;
  #captureTrouble: Trouble | undefined;
  #watchTrouble: Trouble | undefined;

  constructor(options: StoreProtectionOptions) {
    const { context, store, source } = options;
    const { name, stage } = context.environment;
    this.store = store;
    this.source = source;
    this.address = { environment: name, stage, store: store.name };
    this.settings = storeSettings(context.environment, store) as StoreSettings;
    this.#context = context;
    this.#log = context.log.child({ store: store.name });
    this.#onCaptured = options.onCaptured;
    this.#watermark = new QuietWatermark(context.repository, this.address);
    if (source.journal && store.protect.kind === 'continuous') {
      this.journal = new JournalKeeper({
        context,
        address: this.address,
        folder: this.stateFolder,
        sourceType: source.type,
        source: source.journal(this.settings, this.#sourceContext()),
        rpoMs: store.rpoMs,
        segments: () => source.journalSegments?.(this.#newest && outcomeOf(this.#newest)),
        log: this.#log,
        signal: this.#stop.signal,
        needsBase: (because) => this.#needsBase(because),
        lineStarted: (line) => this.#lineStarted(line),
      });
    }
  }

  get stateFolder(): string {
    return path.join(this.#context.folder, this.store.name);
  }
  get newest(): CaptureRecord | undefined {
    return this.#newest;
  }
  get progress(): Progress | undefined {
    return this.#progress;
  }
  get trouble(): Trouble | undefined {
    return this.#captureTrouble ?? this.#watchTrouble;
  }
  get watched(): boolean {
    return (
      this.store.protect.kind === 'continuous' && !this.journal && this.source.watch !== undefined
    );
  }
  /** Until when the newest capture is known to be what is there; undefined: not known. */
  get unchangedThroughMs(): number | undefined {
    return this.#takenSinceMs === undefined ? this.#changes.unchangedThroughMs : undefined;
  }
  /** Since when there are changes that no finished capture holds; undefined: none are known of. */
  get changedSinceMs(): number | undefined {
    return this.#takenSinceMs ?? this.#changes.sinceMs;
  }

  /** Goes on from what the repository holds. Resolves when its loops run. */
  async start(): Promise<void> {
    this.#newest = await newestCapture(this.#context.repository, this.address, ['base', 'files']);
    if (this.journal) this.#loops.push(this.journal.run());
    if (this.watched) this.#loops.push(this.#watch(), this.#captureChanges());
    if (!this.watched) this.#loops.push(this.#catchUp());
  }

  /** Lets nothing be captured while the work goes on: it needs the repository for itself. */
  async paused<T>(work: () => Promise<T>): Promise<T> {
    return this.#turn.use(this.#stop.signal, work);
  }

  /** Resolves when nothing of it goes on any more. */
  async stop(): Promise<void> {
    this.#stop.abort(errors.stopping([]));
    await Promise.allSettled(this.#loops);
    await this.#turn.use(new AbortController().signal, async () => {});
    const untilMs = this.#newest && this.unchangedThroughMs;
    if (this.watched && untilMs !== undefined) await this.#watermark.note(untilMs);
  }

  /** Takes back what was put into the server for Holdfast. After `stop`. */
  async dispose(): Promise<void> {
    await this.journal?.dispose();
  }

  /**
   * Captures now, unless a capture has begun since `notBeforeMs`: what was asked for twice is done once. Rejects with
   * an `interrupted` error when protection stops meanwhile.
   */
  async capture(notBeforeMs: number): Promise<CaptureRecord> {
    return this.#captureUnless((newest) => newest.startedAtMs >= notBeforeMs);
  }

  async #captureUnless(isEnough: (newest: CaptureRecord) => boolean): Promise<CaptureRecord> {
    const { signal } = this.#stop;
    return this.#turn.use(signal, async () => {
      if (this.#newest && isEnough(this.#newest)) return this.#newest;
      return this.#context.slots.use(signal, () => this.#captureInTurn(undefined));
    });
  }

  async #captureInTurn(changes: Changes | undefined): Promise<CaptureRecord> {
    this.#capturingSinceMs = systemClock.nowMs();
    try {
      const record = await captureStore({
        repository: this.#context.repository,
        source: this.source,
        store: this.settings,
        context: this.#sourceContext(),
        ...(this.#newest === undefined ? {} : { previous: this.#newest }),
        ...(changes ? watchedOptions(changes) : {}),
      });
      this.#newest = record;
      await this.#onCaptured(record, changes ? 'changed' : 'asked');
      this.#captureTrouble = undefined;
      return record;
    } catch (error) {
      if (this.#stop.signal.aborted) throw errors.stopping([]);
      this.#captureTrouble = { ...explained(error), sinceMs: systemClock.nowMs() };
      throw error;
    } finally {
      this.#capturingSinceMs = undefined;
      this.#progress = undefined;
    }
  }

  /** The first capture, and one for a slot that passed while nothing ran. */
  async #catchUp(): Promise<void> {
    await keepTrying(
      {
        signal: this.#stop.signal,
        firstPauseMs: 2_000,
        onTrouble: (trouble) => this.#noteCaptureTrouble(trouble),
      },
      async () => {
        const { protect } = this.store;
        const nowMs = systemClock.nowMs();
        const everyMs = protect.kind === 'every' ? protect.everyMs : BASE_EVERY_MS;
        const dueMs = this.#newest === undefined ? nowMs : this.#newest.startedAtMs + everyMs;
        if (dueMs > nowMs) return;
        await this.#untilStreaming();
        await this.capture(nowMs);
      },
    );
  }

  /** A base from before the journal flows would have a gap behind it; but better such a base than none. */
  async #untilStreaming(): Promise<void> {
    const { signal } = this.#stop;
    if (this.journal)
      await Promise.race([this.journal.streaming, sleepMs(STREAM_WITHIN_MS, signal)]);
  }

  #needsBase(because: string): void {
    this.#log.warn({ because }, 'a new base is needed');
    const askedAtMs = systemClock.nowMs();
    this.#takeBase(() => this.capture(askedAtMs));
  }

  /** From a base of its own line a recovery is shorter, and no other line is in the way. The first base comes anyway. */
  #lineStarted(line: number): void {
    if (!this.#newest || this.#newest.end.line >= line) return;
    this.#log.info({ line }, 'a new base is taken: the journal is on a new line');
    this.#takeBase(() => this.#captureUnless((newest) => newest.end.line >= line));
  }

  #takeBase(take: () => Promise<CaptureRecord>): void {
    const { signal } = this.#stop;
    const onTrouble = (trouble: Trouble | undefined) => this.#noteCaptureTrouble(trouble);
    this.#loops.push(keepTrying({ signal, firstPauseMs: 2_000, onTrouble }, take));
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    await keepTrying(
      {
        signal,
        onTrouble: (trouble) => {
          this.#watchTrouble = trouble;
        },
      },
      async (wentWell) => {
        const watch = this.source.watch?.(this.settings, this.#sourceContext());
        if (!watch) return;
        // Its first word is to look at everything: what happened while nobody watched isn't known.
        for await (const changed of watch) {
          wentWell();
          this.#changes.add(changed, systemClock.nowMs());
          await this.#noteQuiet();
        }
        signal.throwIfAborted();
      },
    );
  }

  async #captureChanges(): Promise<void> {
    const { signal } = this.#stop;
    const pauseMs = gatherMs(this.store.rpoMs);
    let lastMs = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      await keepTrying(
        { signal, onTrouble: (trouble) => this.#noteCaptureTrouble(trouble) },
        async () => {
          await this.#changes.any(signal);
          await sleepMs(Math.max(0, lastMs + pauseMs - systemClock.monotonicMs()), signal);
          lastMs = systemClock.monotonicMs();
          await this.#captureTaken();
        },
      );
    }
  }

  async #captureTaken(): Promise<void> {
    const { signal } = this.#stop;
    await this.#turn.use(signal, async () => {
      const taken = this.#changes.take();
      if (!taken) return;
      this.#takenSinceMs = taken.sinceMs;
      try {
        await this.#context.slots.use(signal, () => this.#captureInTurn(taken));
      } catch (error) {
        this.#changes.giveBack(taken);
        throw error;
      } finally {
        this.#takenSinceMs = undefined;
      }
    });
  }

  /** Tried again with the next word of the watcher, which must go on meanwhile. */
  async #noteQuiet(): Promise<void> {
    const untilMs = this.unchangedThroughMs;
    if (!this.#newest || untilMs === undefined || this.changedSinceMs !== undefined) return;
    try {
      await this.#watermark.noteIfDue(untilMs, this.#newest.startedAtMs);
    } catch (error) {
      this.#noteCaptureTrouble({ ...explained(error), sinceMs: systemClock.nowMs() });
    }
  }

  #noteCaptureTrouble(trouble: Trouble | undefined): void {
    this.#captureTrouble = trouble;
    if (trouble) this.#log.warn({ what: trouble.what }, 'capture failed');
  }

  #sourceContext(): SourceContext {
    return {
      log: this.#log,
      progress: (progress) => {
        if (this.#capturingSinceMs !== undefined) this.#progress = progress;
      },
      signal: this.#stop.signal,
      stateFolder: this.stateFolder,
    };
  }
}

/** The longer ago a base, the more journal a recovery must replay. */
export const BASE_EVERY_MS = 86_400_000;
