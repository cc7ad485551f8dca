/** In which spans a store can be brought back to any second. */
import {
  type CaptureRecord,
  type JournalLine,
  type JournalReader,
  listCaptures,
  type Repository,
  readCapture,
  type StoreAddress,
  type Watermark,
} from '#repository';
import { baseKnownMs, instantsOn, type KnownInstants, knownInstants, newestLegs } from './lines.ts';

/** Any second between the two is a recovery point (Holdfast's clock, ms). */
export type RecoveryWindow = { fromMs: number; toMs: number; capture: string };

/**
 * Windows of a store with a journal, oldest first, neighbours joined: what a recovery reaches when nobody names a line.
 *
 * A window begins when a base was complete and lasts as long as the journal is unbroken from there. Where the journal
 * forks (a server was promoted, or brought back in place) and the base leads to the newer line, that window ends with
 * the latest instant known to lie before the fork, and another begins with the first instant known on the newer line.
 * What happened between the two lies on the line that was left: it isn't claimed, though a recovery that names that
 * line may have it. Both ends are as fine as the journal is held (see `standings`), and never claim too much.
 */
export async function recoveryWindows(
  repository: Repository,
  address: StoreAddress,
  journal: JournalReader,
): Promise<RecoveryWindow[]> {
  const entries = await listCaptures(repository, address, ['base']);
  const lines = await journal.lines();
  const { standings, watermarks } = await knownInstants(journal, lines);
  const bases: CaptureRecord[] = [];
  for (const entry of entries) bases.push(await readCapture(repository, entry));
  const known = { standings, watermarks: [...watermarks, ...bases.map(endOf)] };
  const windows: RecoveryWindow[] = [];
  for (const base of bases) windows.push(...(await windowsFrom(base, journal, lines, known)));
  return joined(windows);
}

/** A journal that leads on to where a later base ended has come to that instant, though nothing else was heard of it. */
function endOf(base: CaptureRecord): Watermark {
  return { position: base.end, atMs: baseKnownMs(base) };
}

/** One for each line on the way from the base, as far as the journal is unbroken. */
async function windowsFrom(
  base: CaptureRecord,
  journal: JournalReader,
  lines: readonly JournalLine[],
  instants: KnownInstants,
): Promise<RecoveryWindow[]> {
  const own = { fromMs: base.endedAtMs, toMs: baseKnownMs(base), capture: base.id };
  const windows: RecoveryWindow[] = [own];
  let { offset } = base.end;
  for (const { line, until } of newestLegs(base.end, lines)) {
    const unbroken = await journal.contiguousEnd({ line, offset });
    const end = until !== undefined && until < unbroken ? until : unbroken;
    const known = instantsOn(instants, { line, from: offset, to: end }, base.clock.offsetMs);
    const [firstMs, lastMs] = [known[0], known.at(-1)];
    if (line === base.end.line) own.toMs = Math.max(own.toMs, lastMs ?? 0);
    else if (firstMs !== undefined && lastMs !== undefined) {
      const earlierMs = windows.at(-1)?.toMs ?? 0;
      const fromMs = Math.max(firstMs, earlierMs);
      windows.push({ fromMs, toMs: Math.max(lastMs, fromMs), capture: base.id });
    }
    if (until !== undefined && end < until) break;
    offset = end;
  }
  // A base of a standby that lagged begins none until the journal has come to the instant at which it was taken.
  return windows.filter(({ fromMs, toMs }) => fromMs <= toMs);
}

function joined(windows: readonly RecoveryWindow[]): RecoveryWindow[] {
  const result: RecoveryWindow[] = [];
  for (const window of windows.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = result.at(-1);
    if (last && last.toMs >= window.fromMs) last.toMs = Math.max(last.toMs, window.toMs);
    else result.push({ ...window });
  }
  return result;
}
