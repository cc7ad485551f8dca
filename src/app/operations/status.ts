/** What is protected, how far back, and which objectives are missed: from what runs and from the catalog. */
import { formatDuration, systemClock } from '#base';
import { type Catalog, captureTotals, countPoints } from '#catalog';
import type { Store } from '#environment';
import { madeOf } from '#repository';
import type { Status, StoreStatus } from '#server';
import type { EnvironmentProtection } from '../protection/environment-protection.ts';
import type { Entry } from '../protection/environments.ts';
import type { JournalView } from '../protection/journal-keeper.ts';
import type { StoreProtection } from '../protection/store-protection.ts';
import { progressView } from './captures.ts';
import { maintenanceStatus } from './maintenance-status.ts';
import { proofStatus } from './proof-status.ts';

type Totals = Awaited<ReturnType<typeof captureTotals>>;

export async function statusOf(catalog: Catalog, entry: Entry): Promise<Status> {
  const { name, stage, protection, trouble } = entry;
  const scope = { environment: name, stage };
  const atMs = systemClock.nowMs();
  const totals = await captureTotals(catalog.pool, scope);
  const stores = protection
    ? await Promise.all(
        protection.environment.stores.map((store) => storeStatus(protection, store, totals, atMs)),
      )
    : [];
  const caught = protection?.catalogCapturedAtMs;
  return {
    environment: name,
    stage,
    atMs,
    repository: protection?.context.repository.location ?? '',
    ...(trouble === undefined ? {} : { trouble: trouble.what }),
    stores,
    missed: stores.filter(({ verdict }) => verdict === 'missed').length,
    unknown: stores.filter(({ verdict }) => verdict === 'unknown').length,
    points: await countPoints(catalog.pool, scope),
    ...(caught === undefined ? {} : { catalogCapturedAtMs: caught }),
    ...(protection && {
      maintenance: await maintenanceStatus(protection.context),
      proofs: await proofStatus(protection),
    }),
  };
}

async function storeStatus(
  protection: EnvironmentProtection,
  store: Store,
  totals: Totals,
  nowMs: number,
): Promise<StoreStatus> {
  const protecting = protection.stores.get(store.name);
  const base = { name: store.name, source: store.type, protect: protectText(store) };
  if (!protecting) {
    const { because } = store.protect as { because: string };
    return { ...base, ...NOTHING, verdict: 'excluded', says: because };
  }
  const journal = await protecting.journal?.view();
  const lagMs = lagOf(protecting, nowMs);
  const { newest, progress } = protecting;
  const made = newest && madeOf(newest);
  const { captures = 0, storedBytes, sinceMs } = totals.get(store.name) ?? {};
  const recoverableSinceMs = protecting.journal ? journal?.windows[0]?.fromMs : sinceMs;
  return {
    ...base,
    ...judged(protecting, journal, lagMs),
    rpoMs: protecting.store.rpoMs,
    ...(lagMs === undefined ? {} : { lagMs }),
    ...(protecting.unchangedThroughMs === undefined
      ? {}
      : { unchangedThroughMs: protecting.unchangedThroughMs }),
    ...(recoverableSinceMs === undefined ? {} : { recoverableSinceMs }),
    windows: journal?.windows.map(({ fromMs, toMs }) => ({ fromMs, toMs })) ?? [],
    gaps: journal ? gapsOf(journal) : [],
    captures,
    ...(newest && {
      lastCapture: {
        id: newest.id,
        kind: newest.kind,
        atMs: newest.endedAtMs,
        problems: newest.problemCount,
        ...(made === undefined ? {} : { madeOf: made }),
      },
      sizeBytes: newest.statistics.bytes,
    }),
    ...(storedBytes === undefined ? {} : { storedBytes }),
    ...(journal && { journal: journalView(journal) }),
    ...(progress && { running: progressView(progress) }),
  };
}

const NOTHING = { windows: [], gaps: [], captures: 0 };

function protectText(store: Store): string {
  const { protect } = store;
  if (protect.kind === 'every') return `every ${formatDuration(protect.everyMs)}`;
  return protect.kind === 'none' ? 'none' : 'continuous';
}

/** Age of what would be lost, ms. A watched folder in which nothing changed would lose nothing. */
function lagOf(protecting: StoreProtection, nowMs: number): number | undefined {
  if (protecting.journal) return protecting.newest && protecting.journal.lagMs(nowMs);
  if (!protecting.newest) return undefined;
  if (protecting.watched && !protecting.trouble) {
    const sinceMs = protecting.changedSinceMs;
    return sinceMs === undefined ? 0 : Math.max(0, nowMs - sinceMs);
  }
  return Math.max(0, nowMs - protecting.newest.startedAtMs);
}

function judged(
  protecting: StoreProtection,
  journal: JournalView | undefined,
  lagMs: number | undefined,
): Pick<StoreStatus, 'verdict' | 'says'> {
  const trouble = protecting.trouble ?? journal?.trouble;
  const waiting = journal?.state.state === 'waiting' ? journal.state.because : undefined;
  const why = trouble?.what ?? waiting;
  if (!protecting.newest) {
    if (why !== undefined) return { verdict: 'missed', says: `never captured: ${why}` };
    return { verdict: 'unknown', says: 'first capture under way' };
  }
  if (journal && journal.windows.length === 0) {
    return { verdict: 'unknown', says: why ?? 'first capture under way' };
  }
  if (lagMs === undefined) return { verdict: 'unknown', says: why ?? 'nothing is heard of it yet' };
  if (protecting.store.rpoMs === 0 && protecting.journal?.sharesMachine) {
    const says = 'rpo: 0 is not kept: its spool lies on the machine of the store';
    return { verdict: 'missed', says };
  }
  const limitMs = limitOf(protecting);
  if (lagMs > limitMs) {
    const says = `${formatDuration(lagMs)} would be lost, objective ${formatDuration(protecting.store.rpoMs)}`;
    return { verdict: 'missed', says: why === undefined ? says : `${says}: ${why}` };
  }
  const problems = protecting.newest.problemCount;
  const limits = why ?? (problems > 0 ? `${problems} entries couldn't be captured` : undefined);
  return { verdict: 'met', ...(limits === undefined ? {} : { says: limits }) };
}

/** A capture by interval is as old as the interval and the time it takes, just before the next one is done. */
function limitOf({ store, newest }: StoreProtection): number {
  if (store.protect.kind !== 'every') return Math.max(store.rpoMs, 1_000);
  const tookMs = newest ? newest.endedAtMs - newest.startedAtMs : 0;
  return Math.max(store.rpoMs, store.protect.everyMs + 2 * tookMs + 5_000);
}

/**
 * Those that were recorded, and what lies between two windows without one: oldest first. A base that was made just now,
 * and to which the journal has yet to come, has no gap before it so far: nothing is known of it but its own instant.
 */
export function gapsOf({ gaps, windows }: Pick<JournalView, 'gaps' | 'windows'>): Gap[] {
  const recorded = gaps.map(
    ({ fromMs, toMs, because }): Gap => ({
      ...{ fromMs, because },
      ...(toMs === undefined ? {} : { toMs }),
    }),
  );
  const unrecorded = windows.slice(1).flatMap((window, at): Gap[] => {
    const fromMs = windows[at]?.toMs ?? window.fromMs;
    const toMs = window.fromMs;
    const isKnown = recorded.some((gap) => gap.fromMs <= toMs && (gap.toMs ?? toMs) >= fromMs);
    const isJustMade = at + 2 === windows.length && window.toMs === window.fromMs;
    return isKnown || isJustMade ? [] : [{ fromMs, toMs, because: OFF_THE_WAY }];
  });
  return [...recorded, ...unrecorded].sort((a, b) => a.fromMs - b.fromMs);
}

type Gap = StoreStatus['gaps'][number];

const OFF_THE_WAY = 'no base leads over it: the history forked there, or a part of it is missing';

function journalView({ state, shipping, trouble }: JournalView): StoreStatus['journal'] {
  const position = (at: { line: number; offset: bigint } | undefined) =>
    at && { line: at.line, offset: at.offset.toString() };
  const synced = position(shipping?.synced);
  const shipped = position(shipping?.shipped);
  const because = 'because' in state ? state.because : trouble?.what;
  return {
    state: state.state,
    ...(because === undefined ? {} : { because }),
    ...(synced && { synced }),
    ...(shipped && { shipped }),
    spoolBytes: shipping?.spoolBytes ?? 0,
  };
}
