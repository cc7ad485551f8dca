/** Parts that are being looked up for somebody of the API: what is known of them, and who waits for what. */
import { shortId, systemClock } from '#base';
import type { Difference, Part } from '#server';
import { errors } from '../errors.ts';
import { failureOf } from '../failure.ts';

export type Decision = 'apply' | 'discard';

/** Of work that came to its end, with nothing left of its copy. */
export type Ending = 'done' | 'discarded';

export type PartRun = {
  shown: Part;
  differences: Difference[];
  signal: AbortSignal;
  /** Tells what it has found. */
  tell(found: Partial<Part>): void;
  /** Shows what would change, and resolves to what is to become of it. Nobody answers for ever: then it is discarded. */
  decided(preview: Partial<Part>): Promise<Decision>;
};

type Held = {
  run: PartRun;
  stop: AbortController;
  decide: ((decision: Decision) => void) | undefined;
  /** Of whoever waits until its state is another. */
  waiting: Set<() => void>;
};

export type PartRuns = {
  /** Begins `work`, which goes on when nobody waits. Throws `app/too-many-parts`. */
  begin(
    what: Pick<Part, 'environment' | 'stage' | 'kind'>,
    stopping: AbortSignal,
    work: (run: PartRun) => Promise<Ending>,
  ): Part;
  /** Resolves when it is previewed or over, or after `waitMs`. Throws `app/part-not-found`. */
  wait(id: string, waitMs: number): Promise<Part>;
  differences(id: string, from: number, limit: number): Difference[];
  /** Resolves when what was decided is done, or goes on. Throws `app/part-not-previewed`. */
  decide(id: string, decision: Decision): Promise<Part>;
};

/** Each holds one copy or two, and a connection to production. */
const MOST_AT_ONCE = 4;
const KEPT = 100;
/** Longer, and whoever decided asks how it is getting on. */
const DECIDED_WITHIN_MS = 10_000;
const DISCARDED_AFTER_MS = 15 * 60_000;

const isOver = ({ state }: Part) => ['done', 'failed', 'discarded'].includes(state);
const goesOn = ({ state }: Part) => state === 'working' || state === 'applying';

export function createPartRuns(discardedAfterMs = DISCARDED_AFTER_MS): PartRuns {
  const runs = new Map<string, Held>();
  const held = (id: string): Held => {
    const found = runs.get(id);
    if (!found) throw errors.partNotFound([id]);
    return found;
  };
  const untilSettled = async ({ run, waiting }: Held, waitMs: number): Promise<Part> => {
    if (!goesOn(run.shown) || waitMs === 0) return { ...run.shown };
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.add(resolve);
    const timer = setTimeout(resolve, waitMs);
    await promise;
    clearTimeout(timer);
    waiting.delete(resolve);
    return { ...run.shown };
  };
  return {
    begin(what, stopping, work) {
      if ([...runs.values()].filter(({ run }) => !isOver(run.shown)).length >= MOST_AT_ONCE) {
        throw errors.tooManyParts([MOST_AT_ONCE]);
      }
      forgetOldest(runs);
      const one = newRun(what, stopping, discardedAfterMs);
      runs.set(one.run.shown.id, one);
      void carryOut(one, work);
      return { ...one.run.shown };
    },
    wait: async (id, waitMs) => await untilSettled(held(id), waitMs),
    differences: (id, from, limit) => held(id).run.differences.slice(from, from + limit),
    async decide(id, decision) {
      const one = held(id);
      const { shown } = one.run;
      if (one.decide) one.decide(decision);
      else if (decision === 'discard' && !isOver(shown)) one.stop.abort(errors.stopping([]));
      else if (decision === 'apply' || shown.state !== 'discarded') {
        throw errors.partNotPreviewed([id, shown.state]);
      }
      return await untilSettled(one, DECIDED_WITHIN_MS);
    },
  };
}

function newRun(
  what: Pick<Part, 'environment' | 'stage' | 'kind'>,
  stopping: AbortSignal,
  discardedAfterMs: number,
): Held {
  const stop = new AbortController();
  const signal = AbortSignal.any([stopping, stop.signal]);
  const shown: Part = { id: shortId('p', 8), ...what, state: 'working', notes: [] };
  const tell = (found: Partial<Part>) => {
    Object.assign(shown, found);
    if (!goesOn(shown)) for (const resolve of one.waiting) resolve();
  };
  const decided = async (preview: Partial<Part>): Promise<Decision> => {
    const decision = Promise.withResolvers<Decision>();
    one.decide = (wanted) => {
      one.decide = undefined;
      delete shown.expiresAtMs;
      shown.state = 'applying';
      decision.resolve(wanted);
    };
    const discard = () => one.decide?.('discard');
    const timer = setTimeout(discard, discardedAfterMs).unref();
    signal.addEventListener('abort', discard);
    delete shown.progress;
    tell({ ...preview, state: 'previewed', expiresAtMs: systemClock.nowMs() + discardedAfterMs });
    const wanted = await decision.promise;
    clearTimeout(timer);
    signal.removeEventListener('abort', discard);
    return wanted;
  };
  const run: PartRun = { shown, differences: [], signal, tell, decided };
  const one: Held = { run, stop, decide: undefined, waiting: new Set() };
  return one;
}

async function carryOut(
  { run, stop }: Held,
  work: (run: PartRun) => Promise<Ending>,
): Promise<void> {
  const { shown, tell } = run;
  try {
    const state = await work(run);
    delete shown.progress;
    tell({ state });
  } catch (error) {
    delete shown.progress;
    if (stop.signal.aborted) tell({ state: 'discarded' });
    else tell({ state: 'failed', failure: failureOf(error) });
  }
}

function forgetOldest(runs: Map<string, Held>): void {
  for (const [id, { run }] of runs) {
    if (runs.size < KEPT) return;
    if (isOver(run.shown)) runs.delete(id);
  }
}
