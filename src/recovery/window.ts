/** In which spans a store can be brought back to any second. */
import {
  type CaptureRecord,
  type JournalReader,
  type JournalSpan,
  listCaptures,
  type Repository,
  readCapture,
  type StoreAddress,
  type Watermark,
} from '#repository';

/** Any second between the two is a recovery point (Holdfast's clock, ms). */
export type RecoveryWindow = { fromMs: number; toMs: number; capture: string };

/**
 * Windows of a store with a journal, oldest first, neighbours joined. A window begins when a base was complete and
 * lasts as long as the journal is unbroken from there.
 */
export async function recoveryWindows(
  repository: Repository,
  address: StoreAddress,
  journal: JournalReader,
): Promise<RecoveryWindow[]> {
  const entries = await listCaptures(repository, address, ['base']);
  const [spans, watermarks] = await Promise.all([journal.spans(), journal.watermarks()]);
  const windows: RecoveryWindow[] = [];
  for (const entry of entries.sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const base = await readCapture(repository, entry);
    const end = await journal.contiguousEnd(base.end);
    const toMs = reachedMs(base, end, spans, watermarks);
    const last = windows.at(-1);
    if (last && last.toMs >= base.endedAtMs) last.toMs = Math.max(last.toMs, toMs);
    else windows.push({ fromMs: base.endedAtMs, toMs, capture: base.id });
  }
  return windows;
}

/** The latest instant known to lie within the unbroken stretch. */
function reachedMs(
  base: CaptureRecord,
  end: bigint,
  spans: readonly JournalSpan[],
  watermarks: readonly Watermark[],
): number {
  const { line, offset } = base.end;
  const covered = spans
    .filter((span) => span.line === line && span.to > offset && span.to <= end)
    .map((span) => span.latestMs - base.clock.offsetMs);
  const marked = watermarks
    .filter(
      ({ position }) =>
        position.line === line && position.offset >= offset && position.offset <= end,
    )
    .map(({ atMs }) => atMs);
  return Math.max(base.endedAtMs, ...covered, ...marked);
}
