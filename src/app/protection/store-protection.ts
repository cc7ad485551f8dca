/** One store under protection: its captures one at a time, its watcher or journal, and what is to be said of it. */
import path from 'node:path';
import { type Logger, type Progress, sleepMs, systemClock } from '#base';
import { captureStore } from '#capture';
import { type Store, storeSettings } from '#environment';
import { outcomeOf } from '#recovery';
import { type CaptureRecord, newestCapture, type StoreAddress } from '#repository';
import type { JournalSource, Source, SourceContext, StoreSettings } from '#sources';
import { errors } from '../errors.ts';
import type { ProtectionContext } from './context.ts';
import { JournalKeeper } from './journal-keeper.ts';
import { explained, keepTrying, type Trouble } from './keep-trying.ts';
import { type Changes, watchedOptions } from './pending-changes.ts';
import { createSlots } from './slots.ts';
import { StoreWatcher } from './store-watcher.ts';

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
  readonly #watcher: StoreWatcher | undefined;
  #loops: Promise<unknown>[] = [];
  #newest: CaptureRecord | undefined;
  #capturingSinceMs: number | undefined;
  #progress: Progress | undefined;
  #captureTrouble: Trouble | undefined;

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
    if (store.protect.kind !== 'continuous') return;
    if (source.journal) {
      this.journal = this.#keepJournal(source.journal(this.settings, this.#sourceContext()));
    } else if (source.watch) {
      this.#watcher = this.#watch(source.watch.bind(source));
    }
  }

  #keepJournal(source: JournalSource): JournalKeeper {
    return new JournalKeeper({
      context: this.#context,
      address: this.address,
      folder: this.stateFolder,
      sourceType: this.source.type,
      source,
      rpoMs: this.store.rpoMs,
      segments: () => this.source.journalSegments?.(this.#newest && outcomeOf(this.#newest)),
      log: this.#log,
      signal: this.#stop.signal,
      needsBase: (because) => this.#needsBase(because),
      lineStarted: (line) => this.#lineStarted(line),
    });
  }

  #watch(watch: NonNullable<Source['watch']>): StoreWatcher {
    return new StoreWatcher({
      repository: this.#context.repository,
      address: this.address,
      rpoMs: this.store.rpoMs,
      watch: () => watch(this.settings, this.#sourceContext()),
      capture: (take) => this.#captureTaken(take),
      newest: () => this.#newest,
      onCaptureTrouble: (trouble) => this.#noteCaptureTrouble(trouble),
      signal: this.#stop.signal,
    });
  }

  /** Of what, and how often, the bases of a store with a journal are made. */
  get bases(): { from: 'production' | 'copy'; everyMs: number } {
    return this.source.bases?.(this.settings) ?? { from: 'production', everyMs: BASE_EVERY_MS };
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
    return this.#captureTrouble ?? this.#watcher?.trouble;
  }
  get watched(): boolean {
    return this.#watcher !== undefined;
  }
  /** See `StoreWatcher`; undefined where nobody watches. */
  get unchangedThroughMs(): number | undefined {
    return this.#watcher?.unchangedThroughMs;
  }
  get changedSinceMs(): number | undefined {
    return this.#watcher?.changedSinceMs;
  }

  /** Goes on from what the repository holds. Resolves when its loops run. */
  async start(): Promise<void> {
    this.#newest = await newestCapture(this.#context.repository, this.address, ['base', 'files']);
    if (this.journal) this.#loops.push(this.journal.run());
    this.#loops.push(this.#watcher ? this.#watcher.run() : this.#catchUp());
  }

  /** Lets nothing of it be captured while the work goes on. */
  async paused<T>(work: () => Promise<T>): Promise<T> {
    return this.#turn.use(this.#stop.signal, work);
  }

  /** Resolves when nothing of it goes on any more. */
  async stop(): Promise<void> {
    this.#stop.abort(errors.stopping([]));
    await Promise.allSettled(this.#loops);
    await this.#turn.use(new AbortController().signal, async () => {});
    await this.#watcher?.noteQuiet();
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

  /** A base that is made otherwise than by asking the source for one; nothing else of it is captured meanwhile. */
  async captureBy(
    make: (context: SourceContext) => Promise<CaptureRecord | undefined>,
  ): Promise<CaptureRecord | undefined> {
    return this.#turn.use(this.#stop.signal, () => this.#noted('asked', make));
  }

  async #captureInTurn(changes: Changes | undefined): Promise<CaptureRecord> {
    return this.#noted(changes ? 'changed' : 'asked', (context) =>
      captureStore({
        repository: this.#context.repository,
        source: this.source,
        store: this.settings,
        context,
        ...(this.#newest === undefined ? {} : { previous: this.#newest }),
        ...(changes ? watchedOptions(changes) : {}),
      }),
    );
  }

  /** In its turn. What is made is the newest then. */
  async #noted<T extends CaptureRecord | undefined>(
    why: CaptureCause,
    make: (context: SourceContext) => Promise<T>,
  ): Promise<T> {
    this.#capturingSinceMs = systemClock.nowMs();
    try {
      const { activity } = this.#context;
      const record = await activity.during(`a capture of ${this.store.name}`, () =>
        make(this.#sourceContext()),
      );
      if (record) {
        this.#newest = record;
        await this.#onCaptured(record, why);
      }
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
        const { from, everyMs: baseEveryMs } = this.bases;
        // Another job makes the others.
        if (this.#newest && from === 'copy') return;
        const everyMs = protect.kind === 'every' ? protect.everyMs : baseEveryMs;
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

  /** Taken only when it is the turn: what changes until then belongs to it. */
  async #captureTaken(take: () => Changes | undefined): Promise<void> {
    const { signal } = this.#stop;
    await this.#turn.use(signal, async () => {
      const taken = take();
      if (taken) await this.#context.slots.use(signal, () => this.#captureInTurn(taken));
    });
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
const BASE_EVERY_MS = 86_400_000;
