/** Timeline history files (PostgreSQL documentation, "Timelines"): which timelines a timeline came from, and where. */
import { parseLsn } from '../lsn.ts';

/** On `line` the history goes up to `forkOffset`; there the next entry's line, or the file's own, begins. */
export type HistoryEntry = { line: number; forkOffset: bigint };

/** Far above what any server has; a hostile file stays small in memory. */
const MOST_ENTRIES = 100_000;

/** Oldest line first. Undefined where the text is no history file: lines or offsets that don't increase. */
export function parseHistory(text: string): HistoryEntry[] | undefined {
  const entries: HistoryEntry[] = [];
  for (const row of text.split('\n', MOST_ENTRIES)) {
    const content = row.trim();
    if (content === '' || content.startsWith('#')) continue;
    const match = /^(\d{1,10})\s+(\S+)/.exec(content);
    const forkOffset = parseLsn(match?.[2] ?? '');
    if (!match || forkOffset === undefined) return undefined;
    const line = Number(match[1]);
    const last = entries.at(-1);
    if (last && (line <= last.line || forkOffset < last.forkOffset)) return undefined;
    entries.push({ line, forkOffset });
  }
  return entries;
}
