/**
 * When a condition last held, found by halving the time between an instant at which it held and one at which it didn't.
 * Instants between which nothing was committed are one state and cost no copy.
 */
import { errors } from '../errors.ts';

/** What is known of an instant without a copy of it. Holdfast's clock, ms. */
export type Moment = {
  atMs: number;
  /** The same text is the same state. */
  state: string;
  /** Commits next to it: since the one it is what it is, and until the other. */
  lastCommitMs?: number;
  nextCommitMs?: number;
};

export type LastHeld = {
  /** The last instant known to be like one at which it held, and the first known to be like one at which it didn't. */
  heldMs: number;
  failedMs: number;
  /** True where a single commit lies between the two. */
  isExact: boolean;
  /** How many copies were asked. */
  copies: number;
};

export type SearchRequest = {
  fromMs: number;
  toMs: number;
  precisionMs: number;
  /** Throws `recovery/*` where there is no way to that instant. */
  momentAt(atMs: number): Promise<Moment>;
  holds(moment: Moment): Promise<boolean>;
  onStep(step: { heldMs: number; failedMs: number; copies: number }): void;
};

/**
 * Assumes that it held until some instant and not from then on. Throws `recovery/never-held`, `recovery/still-holds`,
 * `recovery/span-empty`.
 */
export async function findLastHeld(request: SearchRequest): Promise<LastHeld> {
  const { fromMs, toMs, precisionMs } = request;
  if (fromMs >= toMs) throw errors.spanEmpty([iso(fromMs), iso(toMs)]);
  const known = new Map<string, boolean>();
  const ask = async (moment: Moment): Promise<boolean> => {
    const held = known.get(moment.state) ?? (await request.holds(moment));
    known.set(moment.state, held);
    return held;
  };
  let failed = await request.momentAt(toMs);
  if (await ask(failed)) throw errors.stillHolds([iso(toMs)]);
  let held = await request.momentAt(fromMs);
  if (!(await ask(held))) throw errors.neverHeld([iso(fromMs)]);
  [held, failed] = [asLateAs(held, failed), asEarlyAs(failed, held)];
  while (failed.atMs - held.atMs > precisionMs && !isOneCommit(held, failed)) {
    request.onStep({ heldMs: held.atMs, failedMs: failed.atMs, copies: known.size });
    const middle = await request.momentAt(Math.floor((held.atMs + failed.atMs) / 2));
    if (await ask(middle)) held = asLateAs(middle, failed);
    else failed = asEarlyAs(middle, held);
  }
  const isExact = isOneCommit(held, failed);
  return { heldMs: held.atMs, failedMs: failed.atMs, isExact, copies: known.size };
}

const iso = (ms: number) => new Date(ms).toISOString();

/** Until the commit after it, it stays what it is. */
function asLateAs(moment: Moment, failed: Moment): Moment {
  const { nextCommitMs = moment.atMs } = moment;
  const lastMs = Math.min(Math.ceil(nextCommitMs) - 1, failed.atMs - 1);
  return lastMs > moment.atMs ? { ...moment, atMs: lastMs } : moment;
}

/** Since the commit before it, it is what it is. */
function asEarlyAs(moment: Moment, held: Moment): Moment {
  const { lastCommitMs = moment.atMs } = moment;
  const firstMs = Math.max(Math.ceil(lastCommitMs), held.atMs + 1);
  return firstMs < moment.atMs ? { ...moment, atMs: firstMs } : moment;
}

const isOneCommit = (held: Moment, failed: Moment): boolean =>
  held.nextCommitMs !== undefined &&
  failed.lastCommitMs !== undefined &&
  held.nextCommitMs >= failed.lastCommitMs;
