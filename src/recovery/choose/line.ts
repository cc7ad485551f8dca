/** On which line of a journal an instant lies, and what other lines hold of it. */
import type { CaptureRecord, JournalLine, JournalReader } from '#repository';
import type { ResolvedTarget, Target } from '#sources';
import { instantsOn, type KnownInstants, knownInstants, legsTo } from '../lines.ts';

/** The line on which the target lies; undefined where any base will do. */
export async function lineOf(
  target: Target,
  journal: JournalReader,
  lines: readonly JournalLine[],
  clockOffsetMs: number,
): Promise<number | undefined> {
  if (target.kind === 'position') return target.position.line || undefined;
  if (target.kind === 'name' || lines.length === 0) return undefined;
  const newestFirst = lines.toSorted((a, b) => b.line - a.line);
  if (target.kind === 'end') return newestFirst[0]?.line;
  const instants = await knownInstants(journal, lines);
  const hadBegun = (line: JournalLine) => {
    const [firstMs] = instantsFromBegin(line, instants, clockOffsetMs);
    return firstMs !== undefined && firstMs <= target.atMs;
  };
  return newestFirst.find(hadBegun)?.line;
}

function instantsFromBegin(
  { line, forkOffset }: Pick<JournalLine, 'line' | 'forkOffset'>,
  instants: KnownInstants,
  clockOffsetMs: number,
): number[] {
  return instantsOn(instants, { line, from: forkOffset }, clockOffsetMs);
}

export type OtherLines = {
  /** For a person, before anything starts. */
  notes: string[];
  /** Where the line that is followed had not begun by then: the instant (Holdfast's clock) of the state it began with. */
  asOfMs?: number;
};

/**
 * What an instant that was resolved without a line named leaves unsaid: that another line holds it too, or that it lies
 * between a fork and the first that is known of the newer line, so that the state of the fork is what comes back.
 */
export async function otherLinesAt(
  atMs: number,
  base: CaptureRecord,
  { position, lastCommitMs }: ResolvedTarget,
  journal: JournalReader,
): Promise<OtherLines> {
  const lines = await journal.lines();
  const legs = legsTo(base.end, position.line, lines);
  if (lines.length === 0 || !legs) return { notes: [] };
  const instants = await knownInstants(journal, lines);
  const { offsetMs } = base.clock;
  const own = lines.find(({ line }) => line === position.line);
  const [begunMs = Infinity] = own ? instantsFromBegin(own, instants, offsetMs) : [0];
  const hadBegun = begunMs <= atMs;
  const notes: string[] = [];
  for (const line of new Set(lines.flatMap((one) => [one.parent, one.line]))) {
    if (line === position.line) continue;
    const left = legs.find((leg) => leg.line === line)?.until;
    const from = (left ?? lines.find((one) => one.line === line)?.forkOffset ?? 0n) + 1n;
    const known = instantsOn(instants, { line, from }, offsetMs);
    const [firstMs, lastMs] = [known[0], known.at(-1)];
    if (firstMs === undefined || lastMs === undefined) continue;
    if (left === undefined && firstMs > atMs) continue;
    if (hadBegun && lastMs < atMs) continue;
    const what = hadBegun
      ? `timeline ${position.line} is followed`
      : `by then timeline ${position.line} had not begun, so this is the state that it began with`;
    const until = new Date(lastMs).toISOString();
    notes.push(
      `${what}; timeline ${line} was written until ${until}: --timeline ${line} takes that`,
    );
  }
  if (hadBegun || notes.length === 0) return { notes };
  const before = legs.flatMap(({ line, until }) =>
    until === undefined ? [] : instantsOn(instants, { line, from: 0n, to: until }, offsetMs),
  );
  const commitMs = lastCommitMs === undefined ? [] : [lastCommitMs - offsetMs];
  return { notes, asOfMs: Math.max(base.endedAtMs, ...before, ...commitMs) };
}
