/**
 * An instant becomes one capture and one journal position per store. Nothing is changed: what is found here is what a
 * person sees before anything starts.
 */
import { formatCount, formatDuration, isHoldfastError } from '#base';
import {
  type CaptureRecord,
  type JournalReader,
  listWatermarks,
  openJournalReader,
  readGaps,
} from '#repository';
import type { CaptureOutcome, ResolvedTarget, Target } from '#sources';
import { errors } from '../errors.ts';
import { baseKnownMs, legsTo } from '../lines.ts';
import { addressOf, type Before, type Choosing, knownCaptures } from './captures.ts';
import { countDifferingFiles } from './difference.ts';
import { lineOf, otherLinesAt } from './line.ts';
import type { Choice, ChooseRequest, ChosenStore, RecoverableStore } from './request.ts';
import { type Aim, aimAt } from './target.ts';

const hasJournal = (store: RecoverableStore) => store.source.resolve !== undefined;

export function outcomeOf(capture: CaptureRecord): CaptureOutcome {
  const { start, end, clock, facts } = capture;
  return { start, end, clock, facts };
}

/** Throws what `recovery/*` names: in the future, before the window, in a gap, no such mark. */
export async function chooseRecovery(asked: ChooseRequest): Promise<Choice> {
  const request = { ...asked, captures: knownCaptures(asked) };
  const leader = findLeader(request);
  const aim = await aimAt(request);
  const led = leader && (await chooseFromJournal(request, leader, aim, aim.leader));
  const instantMs = aim.atMs ?? led?.atMs;
  if (instantMs === undefined) throw errors.noLeaderJournal([aim.title]);
  const settled = { ...aim, atMs: instantMs };
  const stores = await Promise.all(
    request.stores.map(async (store) => {
      if (led && store.name === leader.name)
        return await describe(request, store, led, instantMs, true);
      const found = hasJournal(store)
        ? await chooseFromJournal(request, store, settled, { kind: 'time', atMs: instantMs })
        : await chooseCapture(request, store, instantMs);
      return await describe(request, store, found, instantMs, false);
    }),
  );
  return { instantMs, title: aim.title, stores };
}

function findLeader(request: ChooseRequest): RecoverableStore | undefined {
  const named = request.stores.find((store) => store.name === request.leader);
  if (named && hasJournal(named)) return named;
  return request.stores.find(hasJournal);
}

type Found = {
  capture: CaptureRecord;
  /** What the store will be as of, Holdfast's clock. */
  atMs: number;
  /** It was aimed at a place in its journal, which is what it was asked for whatever the clocks say. */
  isExact?: boolean;
  journal?: JournalReader;
  resolved?: ResolvedTarget;
  /** What a person should know of how it was found. */
  notes?: string[];
};

/** A position that was noted with the instant counts more than any clock, as long as the journal leads there. */
async function chooseFromJournal(
  request: Choosing,
  store: RecoverableStore,
  aim: Aim,
  target: Target,
): Promise<Found> {
  const position = aim.positions[store.name];
  const isOnLine = request.line === undefined || request.line === position?.line;
  if (!position || !isOnLine) return await chooseTarget(request, store, aim, target);
  try {
    return await chooseTarget(request, store, aim, { kind: 'position', position });
  } catch (error) {
    // The server may have been lost, or left its line, before what it said had left it.
    if (!isHoldfastError(error) || error.kind !== 'not-found') throw error;
    const found = await chooseTarget(request, store, aim, target);
    // Where all that there is comes back, nothing of it can have come after.
    if (found.resolved?.isEnd) return found;
    const note = `the position noted with it can't be had, so its time counts: ${error.message}`;
    return { ...found, notes: [...(found.notes ?? []), note] };
  }
}

async function chooseTarget(
  request: Choosing,
  store: RecoverableStore,
  aim: Aim,
  wanted: Target,
): Promise<Found> {
  const journal = openJournalReader(request.repository, addressOf(request, store.name), {
    ...(store.spoolFolder === undefined ? {} : { spoolFolder: store.spoolFolder }),
  });
  const capture = await chooseBase(request, store, journal, wanted);
  await refuseGap(request, store, wanted);
  const resolved = await store.source.resolve?.(
    outcomeOf(capture),
    journal,
    onStoreClock(wanted, capture.clock.offsetMs),
    request.line,
  );
  if (!resolved) throw errors.noLeaderJournal([store.name]);
  const found = { capture, journal, resolved, isExact: wanted.kind !== 'time' };
  if (wanted.kind === 'time' && request.line === undefined) {
    const { notes, asOfMs } = await otherLinesAt(wanted.atMs, capture, resolved, journal);
    if (asOfMs !== undefined) return { ...found, notes, atMs: Math.min(asOfMs, wanted.atMs) };
    return { ...found, notes, atMs: await reachedMs(aim, found) };
  }
  return { ...found, atMs: await reachedMs(aim, found) };
}

/** What the store will be as of: short of the instant where the journal is known no further. */
async function reachedMs(
  aim: Aim,
  {
    journal,
    capture,
    resolved,
  }: { journal: JournalReader; capture: CaptureRecord; resolved: ResolvedTarget },
): Promise<number> {
  const knownMs = await lastKnownMs(journal, capture);
  const reached = resolved.isEnd ? Math.min(aim.atMs ?? knownMs, knownMs) : aim.atMs;
  return reached ?? (resolved.lastCommitMs ?? knownMs) - capture.clock.offsetMs;
}

/** One that leads to where it is to be brought: the newest of all may lie on a line that was left since. */
async function chooseBase(
  request: Choosing,
  store: RecoverableStore,
  journal: JournalReader,
  target: Target,
): Promise<CaptureRecord> {
  const before = limitOf(target, request.nowMs);
  const newest = await request.captures.newestBefore(store.name, before);
  const lines = await journal.lines();
  const line = request.line ?? (await lineOf(target, journal, lines, newest.clock.offsetMs));
  const leadsThere = ({ end }: CaptureRecord) =>
    line === undefined || legsTo(end, line, lines) !== undefined;
  if (leadsThere(newest)) return newest;
  return await request.captures.newestBefore(store.name, before, leadsThere);
}

function limitOf(target: Target, nowMs: number): Before {
  if (target.kind === 'time') return { atMs: target.atMs };
  if (target.kind === 'position') return { position: target.position };
  return { atMs: nowMs };
}

function onStoreClock(target: Target, offsetMs: number): Target {
  return target.kind === 'time' ? { kind: 'time', atMs: target.atMs + offsetMs } : target;
}

async function refuseGap(
  request: Choosing,
  store: RecoverableStore,
  target: Target,
): Promise<void> {
  if (target.kind !== 'time') return;
  const gaps = await readGaps(request.repository, addressOf(request, store.name));
  const gap = gaps.find(
    (span) => span.fromMs < target.atMs && target.atMs < (span.toMs ?? Infinity),
  );
  if (!gap) return;
  const iso = (ms: number) => new Date(ms).toISOString();
  const to = gap.toMs === undefined ? 'now' : iso(gap.toMs);
  throw errors.inGap([store.name, iso(target.atMs), iso(gap.fromMs), to], { where: store.name });
}

/** The latest instant (Holdfast's clock) at which it is known how the journal stood. */
async function lastKnownMs(journal: JournalReader, capture: CaptureRecord): Promise<number> {
  const [spans, watermarks] = await Promise.all([journal.spans(), journal.watermarks()]);
  const heard = spans.map((span) => span.latestMs - capture.clock.offsetMs);
  return Math.max(baseKnownMs(capture), ...heard, ...watermarks.map((mark) => mark.atMs));
}

/** A store without a journal: its newest capture that was complete by then; what it shows is as of its beginning. */
async function chooseCapture(
  request: Choosing,
  store: RecoverableStore,
  instantMs: number,
): Promise<Found> {
  const capture = await request.captures.newestBefore(store.name, { atMs: instantMs });
  const quietUntilMs = await unchangedUntilMs(request, store, capture);
  return { capture, atMs: Math.max(asOfMs(capture), Math.min(instantMs, quietUntilMs)) };
}

/**
 * What captures of a watched store say of time (Holdfast's clock, ms): everything changed before `asOfMs` is in; nothing
 * had changed since the capture before until `unchangedThroughMs`.
 */
export type WatchedFacts = { asOfMs?: number; unchangedThroughMs?: number };

const asOfMs = (capture: CaptureRecord) =>
  (capture.facts as WatchedFacts).asOfMs ?? capture.startedAtMs;

/**
 * Until when a watched store is known to have stayed as captured: to the first change that the next capture was made
 * for, or, after the newest capture, to what the watcher (running, or by its last watermark) says.
 */
async function unchangedUntilMs(
  request: Choosing,
  store: RecoverableStore,
  capture: CaptureRecord,
): Promise<number> {
  const address = addressOf(request, store.name);
  const next = await request.captures.after(store.name, capture.id);
  if (next) {
    const { unchangedThroughMs } = next.facts as WatchedFacts;
    return unchangedThroughMs ?? asOfMs(capture);
  }
  const marks = await listWatermarks(request.repository, address);
  return Math.max(asOfMs(capture), store.unchangedUntilMs ?? 0, ...marks.map(({ atMs }) => atMs));
}

async function describe(
  request: Choosing,
  store: RecoverableStore,
  found: Found,
  instantMs: number,
  leads: boolean,
): Promise<ChosenStore> {
  const { capture, resolved, journal } = found;
  // A leader is short of its instant where its journal ends before: nobody knows what was committed after that.
  const lacks = (await store.source.hostLacks?.(outcomeOf(capture))) ?? [];
  const notes = [...(found.notes ?? []), ...lacks];
  const skewMs = leads && found.isExact ? 0 : Math.round(found.atMs - instantMs);
  return {
    store,
    capture,
    ...(journal ? { journal } : {}),
    ...(resolved ? { resolved } : {}),
    selection: {
      store: store.name,
      from: describeOrigin(capture, resolved, found.atMs),
      capture: capture.id,
      atMs: found.atMs,
      skewMs,
      uncertaintyMs: capture.clock.uncertaintyMs,
      leads,
      ...(resolved ? { position: positionText(resolved) } : {}),
      leftBehind: await describeLeftBehind(request, store, found),
      overLimit: Math.abs(skewMs) - capture.clock.uncertaintyMs > request.skewLimitMs,
      bytes: capture.statistics.bytes,
      ...(notes.length > 0 ? { notes } : {}),
    },
  };
}

function positionText({ position }: ResolvedTarget): { line: number; offset: string } {
  return { line: position.line, offset: position.offset.toString() };
}

function describeOrigin(
  capture: CaptureRecord,
  resolved: ResolvedTarget | undefined,
  atMs: number,
): string {
  const taken = new Date(capture.startedAtMs).toISOString().slice(11, 19);
  if (!resolved) return `capture of ${taken}`;
  return `${taken} + ${formatDuration(Math.max(0, atMs - capture.startedAtMs))} of journal`;
}

async function describeLeftBehind(
  request: Choosing,
  store: RecoverableStore,
  found: Found,
): Promise<string | undefined> {
  if (found.resolved) {
    const { leftBehindCommits: count, leftBehindIsMore } = found.resolved;
    if (count === 0) return undefined;
    return `${leftBehindIsMore ? 'over ' : ''}${formatCount(count)} ${count === 1 ? 'commit' : 'commits'}`;
  }
  const newest = await request.captures.newestBefore(store.name, { atMs: Infinity });
  if (newest.id === found.capture.id) return undefined;
  const count = await countDifferingFiles(request.repository, found.capture, newest);
  return count === 0 ? undefined : `${formatCount(count)} ${count === 1 ? 'file' : 'files'}`;
}
