import { isHoldfastError, messageOf } from '#base';
import type { SourceContext, StoreSettings } from '../../source.ts';
import type { PostgresConfig } from '../config.ts';
import { type ConnectionSettings, connectSql, type SqlConnection } from '../connection/index.ts';
import { mayBackUp } from '../direct/backup-session.ts';
import { errors } from '../errors.ts';
import { readUpstream, type Upstream } from '../wal/upstream.ts';
import { type ClockOffset, measureClock, primaryClock, UNKNOWN_CLOCK } from './clock.ts';
import { type ConfigFiles, configFilesOf, NO_CONFIG_FILES } from './config-files.ts';
import { copyNeeds, hasPageWrites } from './server-facts.ts';

/** A role that may only replicate is enough; whatever else keeps it from SQL would stop replication too. */
const NO_SQL_NEEDED = ['postgres/no-host-entry', 'postgres/database-missing'];

/** What is asked by SQL before a base backup; a role without access to any database can do without. */
export type AskedBySql = {
  clock: ClockOffset;
  configFiles: ConfigFiles;
  needs: Record<string, unknown>;
  storeBytes: number | undefined;
  /** Undefined for a server that isn't a standby, or can't be asked. */
  upstream: Upstream | undefined;
  /** This role may start and stop a backup by SQL. */
  mayBackUp: boolean;
};

export async function askBySql(
  store: StoreSettings<PostgresConfig>,
  settings: ConnectionSettings,
  context: SourceContext,
): Promise<AskedBySql> {
  let sql: SqlConnection;
  try {
    sql = await connectSql(settings);
  } catch (error) {
    const isAllowed = NO_SQL_NEEDED.some((code) => isHoldfastError(error, code));
    if (!isAllowed) throw error;
    context.log.warn(
      { reason: messageOf(error) },
      'no SQL connection: clock, configuration and size stay unknown',
    );
    return {
      clock: UNKNOWN_CLOCK,
      configFiles: NO_CONFIG_FILES,
      needs: {},
      storeBytes: undefined,
      upstream: undefined,
      mayBackUp: false,
    };
  }
  try {
    const [level] = await sql.query<{ wal_level: string }>(
      "select current_setting('wal_level') as wal_level",
    );
    if (level?.wal_level === 'minimal') throw errors.walLevelMinimal([store.name]);
    const upstream = await readUpstream(sql);
    if (upstream.isStandby && !(await hasPageWrites(sql))) {
      throw errors.standbyWithoutPageWrites([store.name]);
    }
    const clock = await measureClock(sql);
    const [size] =
      (await sql.queryIfAllowed<{ bytes: string | null }>(
        'select sum(pg_database_size(oid))::text as bytes from pg_database',
      )) ?? [];
    return {
      clock: upstream.isStandby ? primaryClock(clock, upstream.clockOffsetMs) : clock,
      configFiles: await configFilesOf(sql),
      needs: await copyNeeds(sql),
      storeBytes: size?.bytes ? Number(size.bytes) : undefined,
      upstream: upstream.isStandby ? upstream : undefined,
      mayBackUp: await mayBackUp(sql),
    };
  } finally {
    await sql.close();
  }
}
