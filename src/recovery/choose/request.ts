import type { CaptureRecord, JournalReader, Repository } from '#repository';
import type { ResolvedTarget, Source } from '#sources';
import type { StoreSelection, When } from '../request.ts';

/** A store that may be recovered, with the source that captured it. */
export type RecoverableStore = {
  name: string;
  source: Source;
  /** The store's own fields as declared, where they are at hand: with whose access services reach the copy. */
  own?: Record<string, unknown>;
  /** Folder with journal bytes of this host that aren't in the repository yet. */
  spoolFolder?: string;
  /** A running watcher's word: nothing has changed since the newest capture until here (Holdfast's clock, ms). */
  unchangedUntilMs?: number;
};

export type ChooseRequest = {
  repository: Repository;
  environment: string;
  stage: string;
  stores: readonly RecoverableStore[];
  when: When;
  leader?: string;
  skewLimitMs: number;
  /** Journal line (Postgres: timeline) to follow instead of the newest. */
  line?: number;
  nowMs: number;
};

/** One store with everything that bringing it back needs. */
export type ChosenStore = {
  store: RecoverableStore;
  capture: CaptureRecord;
  journal?: JournalReader;
  resolved?: ResolvedTarget;
  selection: StoreSelection;
};

export type Choice = {
  instantMs: number;
  /** How a person would name the instant: `last commit before deploy 4f2c1e (kim)`. */
  title: string;
  /** Parallel to the request's stores. */
  stores: ChosenStore[];
};
