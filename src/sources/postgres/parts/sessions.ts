/** Connections to a copy, as somebody who may see everything, and to production, as its address says. */

import type { CopyPlace, ProductionPlace } from '../../parts.ts';
import type { SourceContext } from '../../source.ts';
import { type CopyConnection, connectForCopies, parseConnectionUrl } from '../connection/index.ts';
import { errors } from '../errors.ts';
import { superuserOf } from '../recover/ask-copy.ts';
import { loadCopyState } from '../recover/copy-state.ts';
import { socketUrl } from '../recover/url.ts';

/**
 * Text of the same value is the same text on both sides; a server notices within a second that nobody waits any more;
 * nobody who waits for a lock makes others wait for long.
 */
const SETTINGS = [
  "datestyle = 'ISO, YMD'",
  "intervalstyle = 'postgres'",
  "timezone = 'UTC'",
  'extra_float_digits = 3',
  "bytea_output = 'hex'",
  "lc_monetary = 'C'",
  'statement_timeout = 0',
  'idle_in_transaction_session_timeout = 0',
  "lock_timeout = '10s'",
  "client_min_messages = 'warning'",
];
const FIRST_WITH_CONNECTION_CHECK = 140_000;

export type Session = CopyConnection & { database: string };

/** Closed when the work is aborted, so that nothing waits for an answer. */
async function opened(
  settings: Parameters<typeof connectForCopies>[0],
  { signal }: SourceContext,
): Promise<Session> {
  signal.throwIfAborted();
  const connection = await connectForCopies(settings);
  const close = async () => {
    signal.removeEventListener('abort', onAbort);
    await connection.close();
  };
  const onAbort = () => {
    // What waits for an answer is told by its own failure.
    void close().catch(() => {});
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (const setting of SETTINGS) await connection.query(`set ${setting}`);
    if (connection.serverVersion >= FIRST_WITH_CONNECTION_CHECK) {
      await connection.queryIfAllowed("set client_connection_check_interval = '1s'");
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { ...connection, database: settings.database, close };
}

/** As a superuser of the copy: what a role may see in production says nothing of what may be brought back. */
export async function connectToCopy(
  { scratch }: CopyPlace,
  database: string | undefined,
  context: SourceContext,
): Promise<Session> {
  const state = await loadCopyState(scratch);
  if (state === undefined) throw errors.notSettled(['its scratch folder is gone']);
  const known = { ...parseConnectionUrl(socketUrl(state)), applicationName: 'holdfast parts' };
  const own = { ...known, database: known.database ?? 'postgres' };
  const user = (await superuserOf(state)) ?? own.user;
  const copy = await opened({ ...own, user, database: database ?? own.database }, context);
  await copy.query('set synchronous_commit = off');
  return copy;
}

export async function connectToProduction(
  { own, url }: ProductionPlace,
  database: string | undefined,
  context: SourceContext,
): Promise<Session> {
  const settings = parseConnectionUrl(url ?? String(own.url));
  return await opened(
    {
      ...settings,
      applicationName: 'holdfast parts',
      database: database ?? settings.database ?? 'postgres',
    },
    context,
  );
}

/** The rows of a query on one side become those of a table on the other. Answers how many. */
export async function pipe(
  from: Session,
  query: string,
  to: Session,
  table: string,
  options: { format: 'text' | 'binary'; signal: AbortSignal; onBytes?: (bytes: number) => void },
): Promise<number> {
  const { format, signal, onBytes } = options;
  const out = from.copyOut(`COPY (${query}) TO STDOUT (FORMAT ${format})`, signal);
  const counted = onBytes ? countedBytes(out, onBytes) : out;
  return await to.copyIn(`COPY ${table} FROM STDIN (FORMAT ${format})`, counted, signal);
}

async function* countedBytes(
  batches: AsyncIterable<Uint8Array[]>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array[]> {
  let done = 0;
  for await (const batch of batches) {
    for (const bytes of batch) done += bytes.length;
    onBytes(done);
    yield batch;
  }
}
