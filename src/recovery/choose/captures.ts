/** The captures of the stores that one choice is made among: each store is listed once, each record read once. */
import {
  type CaptureEntry,
  type CaptureKind,
  type CaptureRecord,
  listCaptures,
  type Position,
  readCapture,
  type StoreAddress,
} from '#repository';
import { errors } from '../errors.ts';
import type { ChooseRequest } from './request.ts';

const WHOLE_STORE: readonly CaptureKind[] = ['base', 'files'];

export type Before = { atMs: number } | { position: Position };

export type KnownCaptures = {
  /**
   * The newest capture that was complete by then: of those that are wanted, else of all. Throws
   * `recovery/nothing-captured`, or `recovery/before-window` naming the first instant there is. Newest first, so that
   * only a few records are read.
   */
  newestBefore(
    store: string,
    before: Before,
    isWanted?: (capture: CaptureRecord) => boolean,
  ): Promise<CaptureRecord>;
  /** The capture that followed, if there is one. */
  after(store: string, id: string): Promise<CaptureRecord | undefined>;
};

/** A choice under way: what was asked for, and what was looked up for it. */
export type Choosing = ChooseRequest & { captures: KnownCaptures };

type Place = Pick<ChooseRequest, 'repository' | 'environment' | 'stage'>;

export function addressOf({ environment, stage }: Place, store: string): StoreAddress {
  return { environment, stage, store };
}

export function knownCaptures(place: Place): KnownCaptures {
  const { repository } = place;
  const list = remembered(async (store: string) => {
    const entries = await listCaptures(repository, addressOf(place, store), WHOLE_STORE);
    return entries.sort((a, b) => (a.id < b.id ? 1 : -1));
  });
  const records = new Map<string, Promise<CaptureRecord>>();
  const read = (entry: CaptureEntry) => {
    const record = records.get(entry.name) ?? readCapture(repository, entry);
    records.set(entry.name, record);
    return record;
  };
  return {
    async newestBefore(store, before, isWanted = () => true) {
      let oldest: CaptureRecord | undefined;
      let newest: CaptureRecord | undefined;
      for (const entry of await list(store)) {
        oldest = await read(entry);
        if (!isBefore(oldest, before)) continue;
        if (isWanted(oldest)) return oldest;
        newest ??= oldest;
      }
      if (newest) return newest;
      if (!oldest) throw errors.nothingCaptured([store]);
      throw errors.beforeWindow([store, textOf(before), new Date(oldest.endedAtMs).toISOString()]);
    },
    async after(store, id) {
      const next = (await list(store)).findLast((entry) => entry.id > id);
      return next && (await read(next));
    },
  };
}

function remembered<T>(ask: (store: string) => Promise<T>): (store: string) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (store) => {
    const answer = known.get(store) ?? ask(store);
    known.set(store, answer);
    return answer;
  };
}

function isBefore(capture: CaptureRecord, before: Before): boolean {
  if ('atMs' in before) return capture.endedAtMs <= before.atMs;
  return capture.end.offset <= before.position.offset;
}

function textOf(before: Before): string {
  return 'atMs' in before
    ? new Date(before.atMs).toISOString()
    : `position ${before.position.offset.toString(16).toUpperCase()}`;
}
