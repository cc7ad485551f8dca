import type { JournalPosition, SourceContext, StoreSettings } from '../../source.ts';
import type { PostgresConfig } from '../config.ts';
import { connectSql, parseConnectionUrl } from '../connection/index.ts';
import { errors } from '../errors.ts';
import { parseLsn } from '../lsn.ts';
import { openedUntilAborted, untilAborted } from './abortable.ts';

/** The timeline stands in the first eight digits of a WAL file's name. It may not be asked for during recovery. */
const QUESTION = `
  select lsn::text, substr(pg_walfile_name(lsn), 1, 8) as line
    from (select case when not pg_is_in_recovery() then pg_current_wal_insert_lsn() end as lsn) now
   where lsn is not null`;

/**
 * Where the next record of the server's WAL will begin. Undefined on a standby, which doesn't know what its primary has
 * committed by now.
 */
export async function currentPosition(
  store: StoreSettings<PostgresConfig>,
  { signal }: SourceContext,
): Promise<JournalPosition | undefined> {
  const opening = connectSql(parseConnectionUrl(store.own.url));
  const sql = await openedUntilAborted(opening, signal);
  try {
    const asked = sql.query<{ lsn: string; line: string }>(QUESTION);
    const [row] = await untilAborted(asked, signal);
    if (row === undefined) return undefined;
    const [offset, line] = [parseLsn(row.lsn), Number.parseInt(row.line, 16)];
    if (offset === undefined || !(line > 0))
      throw errors.protocolBroken(['it tells no WAL position']);
    return { line, offset };
  } finally {
    // Not waited for: a server that doesn't answer doesn't say goodbye either.
    sql.close().catch(() => {});
  }
}
