/**
 * Journals that bases need: is every stretch from the oldest base on there, or its loss recorded as a gap? Names tell
 * where pieces and batches lie, so a lost one shows as a hole between its neighbours; a lost end shows where something
 * else knows that the journal went on: a watermark, or a line that forked from there.
 */
import { formatSize, HoldfastError, systemClock } from '#base';
import { inLanes } from '../in-lanes.ts';
import { listBatches } from '../journal/batches.ts';
import { listPieces } from '../journal/pieces.ts';
import { byPlace, joinStretches, type Stretch } from '../journal/spans.ts';
import { listCaptures, listStores, readCapture } from '../records/captures.ts';
import { listWatermarks, readGaps, readLines } from '../records/journal-notes.ts';
import type { CaptureRecord, JournalGap, JournalLine, StoreAddress } from '../records/records.ts';
import type { Repository } from '../repository.ts';
import type { CheckProblem } from './problems.ts';

const READS_AT_ONCE = 16;

/** Pieces are stored several at once: one that is still on its way may have its followers there before it. */
const SETTLED_AFTER_MS = 600_000;

export type JournalsChecked = { problems: CheckProblem[]; notes: string[] };

/** What of one store's journal is held, and what must be. */
type Journal = {
  bases: CaptureRecord[];
  lines: JournalLine[];
  gaps: JournalGap[];
  /** Sorted. */
  held: Stretch[];
  /** By line: how far the journal is known to have gone. */
  stood: ReadonlyMap<number, bigint>;
};

type Hole = { line: number; from: bigint; to: bigint };

export async function checkJournals(
  repository: Repository,
  signal: AbortSignal,
): Promise<JournalsChecked> {
  const checked: JournalsChecked = { problems: [], notes: [] };
  for (const address of await listStores(repository)) {
    signal.throwIfAborted();
    let found = await checkStore(repository, address);
    // Pieces move into batches, and old ones go with their base: what is missing must be missing twice.
    if (found.problems.length > 0) found = await checkStore(repository, address);
    checked.problems.push(...found.problems);
    checked.notes.push(...found.notes);
  }
  return checked;
}

async function checkStore(repository: Repository, address: StoreAddress): Promise<JournalsChecked> {
  const checked: JournalsChecked = { problems: [], notes: [] };
  const journal = await readJournal(repository, address, checked);
  const of = `the journal of ${address.environment}/${address.stage}/${address.store}`;
  for (const hole of holesOf(journal)) {
    const { line, from, to } = hole;
    const place = `line ${line} from ${hex(from)} to ${hex(to)}`;
    if (!isSettled(journal, hole)) {
      checked.notes.push(`${of} lacks ${place} yet: what comes after it is minutes old`);
      continue;
    }
    checked.problems.push({
      kind: 'journal-missing',
      id: `${address.environment}/${address.stage}/${address.store} ${place}`,
      what: `${of} lacks ${place} (${formatSize(Number(to - from))}): ${lossText(journal, hole)}`,
    });
  }
  return checked;
}

async function readJournal(
  repository: Repository,
  address: StoreAddress,
  checked: JournalsChecked,
): Promise<Journal> {
  const read = async (entries: readonly { name: string }[]) => {
    const records: CaptureRecord[] = [];
    await inLanes(entries, READS_AT_ONCE, async (entry) => {
      const record = await orDamaged(checked, entry.name, () => readCapture(repository, entry));
      if (record) records.push(record);
    });
    return records;
  };
  const bases = await read(await listCaptures(repository, address, ['base']));
  // Nothing is recovered from a journal alone. Pieces before batches, as bytes move.
  const pieces = bases.length > 0 ? await listPieces(repository, address) : [];
  const listed = bases.length > 0 ? await listBatches(repository, address) : [];
  const batches = await read(listed);
  // After the records: what is captured meanwhile has its snapshot before its record.
  const snapshots = new Set(await repository.snapshots.ids());
  const isThere = (record: CaptureRecord) => {
    const there = snapshots.has(record.snapshot);
    if (!there) checked.notes.push(goneText(record));
    return there;
  };
  const whole = new Set(batches.filter(isThere).map(({ id }) => id));
  const held = [...pieces, ...listed.filter(({ id }) => whole.has(id))];
  return {
    bases: bases.filter(isThere),
    held: held.sort(byPlace),
    stood: await furthest(repository, address),
    lines: (await orDamaged(checked, undefined, () => readLines(repository, address))) ?? [],
    gaps: (await orDamaged(checked, undefined, () => readGaps(repository, address))) ?? [],
  };
}

/** By line: the furthest that a watermark tells of. */
async function furthest(
  repository: Repository,
  address: StoreAddress,
): Promise<Map<number, bigint>> {
  const stood = new Map<number, bigint>();
  for (const { position } of await listWatermarks(repository, address)) {
    const { line, offset } = position;
    if (offset > (stood.get(line) ?? 0n)) stood.set(line, offset);
  }
  return stood;
}

/** Undefined for what is damaged, which is named, and for what was removed since it was listed. */
async function orDamaged<T>(
  checked: JournalsChecked,
  name: string | undefined,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.retryable) throw error;
    if (error.code === 'repository/not-in-storage') return undefined;
    const id = name === undefined ? error.message : `holdfast/${name}`;
    checked.problems.push({ kind: 'own-file-damaged', id, what: error.message });
    return undefined;
  }
}

/** From where each line is needed: from a base on it, or from where it left a line that is needed. */
function neededFrom({ bases, lines }: Journal): Map<number, bigint> {
  const needed = new Map<number, bigint>();
  const need = (line: number, from: bigint) => {
    const before = needed.get(line);
    if (before === undefined || from < before) needed.set(line, from);
  };
  for (const { end } of bases) need(end.line, end.offset);
  for (const { line, parent, forkOffset } of lines.toSorted((a, b) => a.line - b.line)) {
    const ofParent = needed.get(parent);
    if (ofParent !== undefined && ofParent <= forkOffset) need(line, forkOffset);
  }
  return needed;
}

function holesOf(journal: Journal): Hole[] {
  const holes: Hole[] = [];
  const held = joinStretches(journal.held);
  for (const [line, from] of neededFrom(journal)) {
    let at = from;
    for (const stretch of held) {
      if (stretch.line !== line || stretch.to <= at) continue;
      if (stretch.from > at) holes.push({ line, from: at, to: stretch.from });
      at = stretch.to;
    }
    const end = knownEnd(journal, line, from);
    if (end > at) holes.push({ line, from: at, to: end });
  }
  return holes.filter((hole) => !journal.gaps.some((gap) => explains(gap, hole)));
}

/** How far a line must reach; `from` where nothing tells. */
function knownEnd({ lines, held, stood }: Journal, line: number, from: bigint): bigint {
  let end = stood.get(line) ?? from;
  for (const child of lines) {
    const isFollowed = child.parent === line && held.some((one) => one.line === child.line);
    if (isFollowed && child.forkOffset > end) end = child.forkOffset;
  }
  return end;
}

/** A gap that ends on a later line took all that followed on its own, and what came first on the later one. */
function explains({ from, to }: JournalGap, hole: Hole): boolean {
  if (from.line === hole.line && from.offset <= hole.from) {
    return to === undefined || to.line > hole.line || to.offset >= hole.to;
  }
  return to !== undefined && from.line < hole.line && to.line === hole.line && to.offset >= hole.to;
}

function isSettled({ held }: Journal, { line, to }: Hole): boolean {
  const settledMs = systemClock.nowMs() - SETTLED_AFTER_MS;
  const next = held.filter((stretch) => stretch.line === line && stretch.from === to);
  return next.length === 0 || next.some(({ latestMs }) => latestMs < settledMs);
}

/** What can't be recovered to, as far as the neighbours tell. */
function lossText({ bases, held }: Journal, hole: Hole): string {
  const before = held.findLast(({ line, to }) => line === hole.line && to <= hole.from);
  const next = bases
    .filter(({ end }) => end.line === hole.line && end.offset >= hole.to)
    .sort((a, b) => a.endedAtMs - b.endedAtMs)[0];
  const basesBefore = bases.filter(({ end }) => end.line === hole.line && end.offset <= hole.from);
  const fromMs = Math.max(before?.latestMs ?? 0, ...basesBefore.map(({ endedAtMs }) => endedAtMs));
  const after = fromMs > 0 ? `after ${new Date(fromMs).toISOString()}` : 'after the base before it';
  const until = next
    ? ` and before ${new Date(next.endedAtMs).toISOString()}, when the next base was complete,`
    : '';
  return `no instant ${after}${until} can be recovered to`;
}

function goneText({ address, kind, id, snapshot }: CaptureRecord): string {
  const what = kind === 'base' ? 'base' : 'part of the journal';
  return `the snapshot ${snapshot.slice(0, 8)} of the ${what} ${id} of ${address.environment}/${address.stage}/${address.store} is gone: forgotten by another program, or lost`;
}

function hex(offset: bigint): string {
  return `0x${offset.toString(16)}`;
}
