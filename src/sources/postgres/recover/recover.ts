import fs from 'node:fs/promises';
import path from 'node:path';
import type {
  JournalPosition,
  RecoveredStore,
  RecoverRequest,
  SourceContext,
} from '../../source.ts';
import { errors } from '../errors.ts';
import { formatLsn } from '../lsn.ts';
import { parseHistory } from '../wal/history.ts';
import type { CopyState } from './copy-state.ts';
import { reloadPostmaster, startPostmaster } from './postmaster.ts';
import { type PreparedCopy, prepareCopy, whileFed } from './prepare.ts';
import { serviceUrl, socketUrl } from './url.ts';

/**
 * Brings a restored base to life at a position: an isolated server on loopback that replays exactly the WAL up to there
 * and then takes writes on a timeline of its own. It keeps running when this process ends. What it replayed it writes out
 * behind that, and keeps the WAL until then: `checkpointCopy` waits for it.
 */
export async function recoverPostgres(
  request: RecoverRequest,
  context: SourceContext,
): Promise<RecoveredStore> {
  const copy = await prepareCopy(request, context);
  const { state, folders } = copy;
  const pid = await whileFed(copy, (feeding) => replay(copy, feeding));
  await fs.appendFile(folders.configFile, "fsync = 'on'\n");
  reloadPostmaster(pid);
  return { ...recoveredStore(state, pid, request.own), pid };
}

export function recoveredStore(
  state: CopyState,
  pid: number,
  own: Record<string, unknown> | undefined,
): RecoveredStore {
  return {
    url: serviceUrl(state, own),
    pid,
    facts: { socketUrl: socketUrl(state), port: state.port, owner: state.user.name },
  };
}

async function replay({ feed, ended, directory, ...copy }: PreparedCopy, feeding: Promise<bigint>) {
  const { state, folders } = copy;
  const pid = await startPostmaster(
    {
      binaries: state.binaries,
      directory,
      configFile: folders.configFile,
      logFile: folders.log,
      user: state.user,
      until: 'promoted',
    },
    feed.signal,
  );
  const reached = await reachedIn(directory);
  ended.abort(endedAt(reached, feed.plan.end));
  const wanted = await feeding;
  if (reached !== wanted) throw endedAt(reached, { ...feed.plan.end, offset: wanted });
  return pid;
}

/** The new timeline's history says where recovery ended. */
async function reachedIn(directory: string): Promise<bigint | undefined> {
  const folder = path.join(directory, 'pg_wal');
  const names = (await fs.readdir(folder)).filter((name) => /^[0-9A-F]{8}\.history$/.test(name));
  const newest = names.sort().at(-1);
  const text = newest === undefined ? '' : await fs.readFile(path.join(folder, newest), 'utf8');
  return parseHistory(text)?.at(-1)?.forkOffset;
}

/** Short of what was handed over, a server ends at the record that it doesn't take: one with a wrong checksum. */
function endedAt(reached: bigint | undefined, wanted: JournalPosition): Error {
  if (reached !== undefined && reached < wanted.offset) {
    return errors.journalBroken([formatLsn(reached), wanted.line, 'wrong-checksum']);
  }
  const place = reached === undefined ? 'nowhere' : formatLsn(reached);
  return errors.recoveredElsewhere([place, formatLsn(wanted.offset)]);
}
