/** A backup that the server is told of: from start to stop its pages may be read from its files, in any order. */
import { type ConnectionSettings, connectSql, type SqlConnection } from '../connection/index.ts';
import { errors } from '../errors.ts';
import { parseLsn } from '../lsn.ts';

export type StoppedBackup = {
  end: bigint;
  timeline: number;
  /** Content of `backup_label` and, where there are tablespaces, of `tablespace_map`. */
  label: Buffer;
  tablespaceMap: Buffer;
};

/** From 15 on functions have these names. */
const OLDEST_VERSION = 150_000;

/** Whether this role may start and stop one. */
export async function mayBackUp(sql: SqlConnection): Promise<boolean> {
  if (sql.serverVersion < OLDEST_VERSION) return false;
  const [row] = await sql.query<{ may: boolean }>(
    `select has_function_privilege('pg_backup_start(text, boolean)', 'execute')
        and has_function_privilege('pg_backup_stop(boolean)', 'execute') as may`,
  );
  return row?.may === true;
}

/** The server ends the backup by itself when this session ends, however it does. */
export class BackupSession {
  readonly #sql: SqlConnection;

  private constructor(sql: SqlConnection) {
    this.#sql = sql;
  }

  /** @throws the catalogue's errors of reach and access */
  static async open(settings: ConnectionSettings): Promise<BackupSession> {
    const sql = await connectSql(settings);
    try {
      // A spread checkpoint and a large database take their time.
      await sql.query('set statement_timeout = 0');
      await sql.query('set idle_session_timeout = 0');
      return new BackupSession(sql);
    } catch (error) {
      await sql.close();
      throw error;
    }
  }

  /** Returns after a checkpoint: where WAL replay must begin. @throws postgres/command-failed */
  async start(label: string, isFast: boolean): Promise<bigint> {
    const [row] = await this.#sql.query<{ lsn: string }>(
      'select pg_backup_start($1, $2)::text as lsn',
      [label, isFast],
    );
    return lsnOf(row?.lsn);
  }

  /** After everything was read. @throws postgres/command-failed, postgres/connection-lost */
  async stop(): Promise<StoppedBackup> {
    // As bytes: in a database without an encoding a path may be anything.
    const [row] = await this.#sql.query<{ lsn: string; label: Buffer; spaces: Buffer }>(
      `select lsn::text, convert_to(labelfile, getdatabaseencoding()) as label,
              convert_to(spcmapfile, getdatabaseencoding()) as spaces from pg_backup_stop(false)`,
    );
    const timeline = /^START TIMELINE: (\d+)$/m.exec(row?.label.toString('latin1') ?? '')?.[1];
    if (!row || timeline === undefined) {
      throw errors.protocolBroken(['the end of the backup tells no timeline']);
    }
    const { label, spaces: tablespaceMap } = row;
    return { end: lsnOf(row.lsn), timeline: Number(timeline), label, tablespaceMap };
  }

  /** May be called at any time, twice too. */
  async close(): Promise<void> {
    await this.#sql.close();
  }
}

function lsnOf(text: string | undefined): bigint {
  const lsn = parseLsn(text ?? '');
  if (lsn === undefined) throw errors.protocolBroken([`a WAL position is ${text}`]);
  return lsn;
}
