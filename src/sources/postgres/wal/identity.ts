import type { ReplicationConnection } from '../connection/index.ts';
import { errors } from '../errors.ts';
import { type HistoryEntry, parseHistory } from './history.ts';

export type ServerIdentity = {
  systemIdentifier: string;
  /** Timeline that it writes, or replays. */
  line: number;
  /** Of that timeline; empty for the first. */
  history: HistoryEntry[];
  /** The history file as it is; empty for the first timeline. */
  raw: string;
};

export async function identifyServer(link: ReplicationConnection): Promise<ServerIdentity> {
  const [row] = await link.query('IDENTIFY_SYSTEM');
  const line = Number(row?.timeline);
  const systemIdentifier = row?.systemid;
  if (!systemIdentifier || !Number.isSafeInteger(line) || line < 1) {
    throw errors.protocolBroken(['it does not say which system it is']);
  }
  if (line === 1) return { systemIdentifier, line, history: [], raw: '' };
  return { systemIdentifier, line, ...(await readHistory(link, line)) };
}

/** The history file of a timeline other than the first. */
export async function readHistory(
  link: ReplicationConnection,
  line: number,
): Promise<{ history: HistoryEntry[]; raw: string }> {
  const [row] = await link.query(`TIMELINE_HISTORY ${line}`);
  const raw = row?.content ?? '';
  const history = parseHistory(raw);
  if (history === undefined || history.length === 0) {
    throw errors.protocolBroken([`the history of timeline ${line} can't be read`]);
  }
  return { history, raw };
}
