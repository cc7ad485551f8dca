/** Turns an instant, a position or the name of a restore point into the exact place in the WAL to recover to. */
import { systemClock } from '#base';
import type { CaptureOutcome, JournalAccess, ResolvedTarget, Target } from '../../source.ts';
import { errors } from '../errors.ts';
import { DEFAULT_SEGMENT_SIZE_BYTES, formatLsn } from '../lsn.ts';
import { WalDecoder } from './decode.ts';
import type { WalEvent } from './event.ts';
import { beforePageHeader } from './page.ts';
import { findPath, type JournalPath, lineAt } from './path.ts';
import { scanStarts } from './scan-starts.ts';
import { Search } from './search.ts';

export type ResolveBounds = {
  /** Commits after the position are counted up to this many, and within this much WAL. */
  mostCounted: number;
  mostBytesAfter: number;
  /** How far the store's clock may have been set back at once. */
  clockStepMs: number;
};

/** The count is for a person and every MiB delays the answer: `over 40,000 commits` says enough. */
const DEFAULT_BOUNDS: ResolveBounds = {
  mostCounted: 100_000,
  mostBytesAfter: 16 * 2 ** 20,
  clockStepMs: 10_000,
};

/**
 * Times are of the store's clock. A time is resolved to the beginning of the first commit (in the order of the WAL)
 * later than it: all that was committed before is in. A restore point is resolved to its end. `isEnd` is set where no
 * record follows the position, so that recovery takes everything there is; else a record of the position's line
 * begins at or after it. By decoding alone, of a time or position only around it; of a name or the end from the base.
 * @throws postgres/instant-before-base, postgres/instant-in-future, postgres/position-before-base,
 * postgres/position-beyond-end, postgres/restore-point-missing, postgres/journal-broken, postgres/wal-damaged,
 * postgres/line-unreachable, and what the journal throws
 */
export async function resolve(
  base: CaptureOutcome,
  journal: JournalAccess,
  target: Target,
  line?: number,
): Promise<ResolvedTarget> {
  return await resolveWithin(DEFAULT_BOUNDS, base, journal, target, line);
}

export async function resolveWithin(
  bounds: ResolveBounds,
  base: CaptureOutcome,
  journal: JournalAccess,
  asked: Target,
  line?: number,
): Promise<ResolvedTarget> {
  refuseOutside(base, asked);
  const target = behindLastRecord(base, asked);
  const path = await findPath(base, journal, line ?? lineOf(target));
  const { search, scan } = await scanAround(bounds, base, path, journal, target);
  const found = search.found ?? (await atTheEnd(base, journal, target, path, scan, search));
  return {
    position: { line: lineAt(path, found), offset: found },
    isEnd: found >= scan.end,
    ...search.commits,
    leftBehindIsMore: scan.isCut,
  };
}

function behindLastRecord(base: CaptureOutcome, target: Target): Target {
  if (target.kind !== 'position') return target;
  const { segmentSizeBytes = DEFAULT_SEGMENT_SIZE_BYTES } = segmentSizeOf(base);
  const offset = beforePageHeader(target.position.offset, segmentSizeBytes);
  if (offset < base.end.offset) return target;
  return { kind: 'position', position: { ...target.position, offset } };
}

function lineOf(target: Target): number | undefined {
  if (target.kind !== 'position' || target.position.line === 0) return undefined;
  return target.position.line;
}

/** What can be told without reading. */
function refuseOutside(base: CaptureOutcome, target: Target): void {
  if (target.kind === 'time') {
    const { offsetMs, uncertaintyMs } = base.clock;
    const nowMs = systemClock.nowMs() + offsetMs + uncertaintyMs;
    if (target.atMs > nowMs) throw errors.instantInFuture([iso(target.atMs)]);
  }
  if (target.kind === 'position' && target.position.offset < base.end.offset) {
    throw errors.positionBeforeBase([
      formatLsn(target.position.offset),
      formatLsn(base.end.offset),
    ]);
  }
}

type Scan = {
  /** End of the last whole record on the path. */
  end: bigint;
  /** Where the bytes stop being WAL although the journal goes on. */
  damagedAt: bigint | undefined;
  /** Reading stopped at a bound. */
  isCut: boolean;
};

async function scanAround(
  bounds: ResolveBounds,
  base: CaptureOutcome,
  path: JournalPath,
  journal: JournalAccess,
  target: Target,
): Promise<{ search: Search; scan: Scan }> {
  const { segmentSizeBytes = DEFAULT_SEGMENT_SIZE_BYTES } = segmentSizeOf(base);
  const { clockStepMs } = bounds;
  for await (const start of scanStarts(path, journal, target, { clockStepMs, segmentSizeBytes })) {
    const search = new Search(target, base.end.offset);
    const onEvent = (event: WalEvent) => search.take(event);
    const decoder = new WalDecoder(start, { onEvent, segmentSizeBytes });
    const scan = await scanPath(path, start, journal, search, decoder, bounds);
    // What lies before the start must not be missed in the answer.
    if (start === path.start || search.commits.lastCommitMs !== undefined) return { search, scan };
  }
  throw new Error('the last start is that of the path');
}

async function scanPath(
  path: JournalPath,
  start: bigint,
  journal: JournalAccess,
  search: Search,
  decoder: WalDecoder,
  bounds: ResolveBounds,
): Promise<Scan> {
  let bytesAfter = 0;
  const state = (isCut: boolean): Scan => ({
    end: decoder.recordEnd ?? start,
    damagedAt: decoder.end?.at,
    isCut,
  });
  for (const part of path.parts) {
    const from = start > part.from ? start : part.from;
    if (from >= part.to) continue;
    for await (const bytes of journal.read(part.line, from, part.to)) {
      decoder.push(bytes);
      if (decoder.end !== undefined) return state(false);
      if (search.found === undefined) continue;
      bytesAfter += bytes.length;
      const isMany = search.commits.leftBehindCommits >= bounds.mostCounted;
      // Not before a record follows: whether one does decides `isEnd`.
      const hasNext = (decoder.recordEnd ?? 0n) > search.found;
      if (hasNext && (isMany || bytesAfter >= bounds.mostBytesAfter)) return state(true);
    }
  }
  return state(false);
}

/** The journal ended before the target was met. */
async function atTheEnd(
  base: CaptureOutcome,
  journal: JournalAccess,
  target: Target,
  path: JournalPath,
  scan: Scan,
  search: Search,
): Promise<bigint> {
  if (target.kind === 'end') return atLeast(scan.end, base);
  if (scan.damagedAt !== undefined) throw errors.walDamaged([formatLsn(scan.damagedAt)]);
  await refuseGap(base, journal, target, path);
  if (target.kind === 'name') {
    throw errors.restorePointMissing([target.name, [...search.names]]);
  }
  if (target.kind === 'position' && target.position.offset > scan.end) {
    const asked = formatLsn(target.position.offset);
    throw errors.positionBeyondEnd([asked, formatLsn(scan.end), path.end.line]);
  }
  return target.kind === 'position' ? target.position.offset : atLeast(scan.end, base);
}

function atLeast(end: bigint, base: CaptureOutcome): bigint {
  return end > base.end.offset ? end : base.end.offset;
}

/** The path ends not because the journal does but because a piece of it is missing. */
async function refuseGap(
  base: CaptureOutcome,
  journal: JournalAccess,
  target: Target,
  path: JournalPath,
): Promise<void> {
  const { end } = path;
  const gaps = (await journal.gaps?.()) ?? [];
  const gap = gaps.find((one) => one.from.line === end.line && one.from.offset >= end.offset);
  // A gap's times are of our clock, the target's of the store's.
  const isReached =
    target.kind === 'time' && gap !== undefined && target.atMs - base.clock.offsetMs <= gap.fromMs;
  if (isReached || (gap === undefined && !path.isBroken)) return;
  throw errors.journalBroken([formatLsn(end.offset), end.line, gap?.because]);
}

/** The base tells it, where it is one of ours. */
function segmentSizeOf(base: CaptureOutcome): { segmentSizeBytes?: number } {
  const segmentSizeBytes = base.facts.walSegmentSizeBytes;
  return typeof segmentSizeBytes === 'number' ? { segmentSizeBytes } : {};
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}
