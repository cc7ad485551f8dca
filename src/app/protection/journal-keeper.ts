/** The journal of one store kept flowing: from the source through the spool into the repository, whatever breaks. */
import { type Logger, systemClock } from '#base';
import { type JournalShipping, openJournalShipping, type ShippingStatus } from '#capture';
import { type RecoveryWindow, recoveryWindows } from '#recovery';
import { type JournalGap, openJournalReader, readGaps, type StoreAddress } from '#repository';
import type { JournalSegments, JournalSource, JournalState } from '#sources';
import { spoolFolderIn } from '../state/folder.ts';
import type { ProtectionContext } from './context.ts';
import { keepTrying, type Trouble } from './keep-trying.ts';

export type JournalKeeperOptions = {
  context: ProtectionContext;
  address: StoreAddress;
  /** The store's own folder: the spool lies below it. */
  folder: string;
  sourceType: string;
  source: JournalSource;
  rpoMs: number;
  /** How batches of it are cut into files, as far as it is known now. */
  segments(): JournalSegments | undefined;
  log: Logger;
  signal: AbortSignal;
  /** The journal can't go on from what is there: a new base is to be captured. */
  needsBase(because: string): void;
  /** The journal goes on on this line; told again after a restart. */
  lineStarted(line: number): void;
};

export type JournalView = {
  state: JournalState;
  trouble: Trouble | undefined;
  shipping: ShippingStatus | undefined;
  windows: readonly RecoveryWindow[];
  gaps: readonly JournalGap[];
};

/** Windows are read from the repository: not more often than this. */
const WINDOWS_FOR_MS = 3_000;

export class JournalKeeper {
  readonly #options: JournalKeeperOptions;
  #state: JournalState = { state: 'connecting' };
  #trouble: Trouble | undefined;
  #shipping: JournalShipping | undefined;
  #streaming = Promise.withResolvers<void>();
  #view: { atMs: number; windows: RecoveryWindow[]; gaps: JournalGap[] } | undefined;

  constructor(options: JournalKeeperOptions) {
    this.#options = options;
  }

  get spoolFolder(): string {
    return spoolFolderIn(this.#options.folder);
  }

  /** Spool and store lie on one machine: see `JournalSource`. */
  get sharesMachine(): boolean {
    return this.#options.source.sharesMachine === true;
  }

  /** Resolves when the journal flows for the first time: a base captured from then on has no gap behind it. */
  get streaming(): Promise<void> {
    return this.#streaming.promise;
  }

  /** Resolves when aborted, everything fsynced. */
  async run(): Promise<void> {
    const { signal, log } = this.#options;
    await keepTrying(
      {
        signal,
        onTrouble: (trouble) => {
          this.#trouble = trouble;
          if (trouble) log.warn({ what: trouble.what }, 'the journal is cut');
        },
      },
      (wentWell) => this.#stream(wentWell),
    );
  }

  async #stream(wentWell: () => void): Promise<void> {
    const { context, address, sourceType, source, rpoMs, log, signal } = this.#options;
    const segments = this.#options.segments();
    const shipping = await openJournalShipping({
      repository: context.repository,
      address,
      source: sourceType,
      spoolFolder: this.spoolFolder,
      ...(segments && { segmentSizeBytes: segments.sizeBytes, segmentName: segments.name }),
      // A spool that is lost together with the store makes nothing safe.
      flush: rpoMs === 0 && !this.sharesMachine ? 'spooled' : 'shipped',
      onLineStarted: (line) => this.#options.lineStarted(line),
      log,
    });
    this.#shipping = shipping;
    try {
      await source.stream(shipping, (state) => this.#onState(state, wentWell));
      signal.throwIfAborted();
    } finally {
      await shipping.close();
    }
  }

  #onState(state: JournalState, wentWell: () => void): void {
    const before = this.#state.state;
    this.#state = state;
    if (state.state === 'streaming') {
      wentWell();
      this.#streaming.resolve();
    }
    if (state.state === 'needs-base' && before !== 'needs-base') {
      this.#options.needsBase(state.because);
    }
  }

  /** What is known of it now. */
  async view(): Promise<JournalView> {
    const known = await this.#windowsAndGaps();
    return {
      state: this.#state,
      trouble: this.#trouble,
      shipping: this.#shipping?.status(),
      windows: known.windows,
      gaps: known.gaps,
    };
  }

  /** Age of what would be lost if the store were lost now, ms; undefined before anything was ever heard of it. */
  lagMs(nowMs: number): number | undefined {
    const status = this.#shipping?.status();
    if (!status) return undefined;
    if (this.#state.state === 'streaming') return status.lagMs;
    const heardAtMs = status.heardAtMs ?? status.shippedAtMs;
    return heardAtMs === undefined ? undefined : Math.max(status.lagMs, nowMs - heardAtMs);
  }

  /** Makes instants up to now recoverable, though nothing may have changed since the last commit. */
  async noteWatermark(): Promise<void> {
    await this.#shipping?.noteWatermark();
  }

  async dispose(): Promise<void> {
    await this.#options.source.dispose();
  }

  async #windowsAndGaps() {
    const nowMs = systemClock.monotonicMs();
    if (this.#view && nowMs - this.#view.atMs < WINDOWS_FOR_MS) return this.#view;
    const { context, address } = this.#options;
    const { repository } = context;
    const reader = openJournalReader(repository, address, { spoolFolder: this.spoolFolder });
    const [windows, gaps] = await Promise.all([
      recoveryWindows(repository, address, reader),
      readGaps(repository, address),
    ]);
    this.#view = { atMs: nowMs, windows, gaps };
    return this.#view;
  }
}
