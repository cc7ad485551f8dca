/** The catalog opened: an embedded Postgres or one that is named, migrated, with a pool of connections. */
import pg from 'pg';
import { type Logger, messageOf, type Secret, withoutPassword } from '#base';
import { errors } from './errors.ts';
import { migrate, readMigrations } from './migrate.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './postgres/embedded.ts';

export type Catalog = {
  pool: pg.Pool;
  url: Secret;
  embedded: EmbeddedPostgres | undefined;
  /** Ends the connections, then the embedded Postgres. May be called twice. */
  close(): Promise<void>;
};

export type CatalogOptions =
  | { kind: 'embedded'; folder: string; log: Logger }
  | { kind: 'shared'; url: Secret; log: Logger };

export async function openCatalog(options: CatalogOptions): Promise<Catalog> {
  const embedded =
    options.kind === 'embedded' ? await startEmbeddedPostgres(options.folder) : undefined;
  const url = options.kind === 'embedded' ? (embedded as EmbeddedPostgres).url : options.url;
  const pool = new pg.Pool({
    connectionString: url.reveal(),
    max: 10,
    connectionTimeoutMillis: 10_000,
    options: '-c search_path=holdfast',
    application_name: 'holdfast',
  });
  // A connection that breaks while idle is replaced by the pool; the query that meets it is told.
  pool.on('error', (error) => {
    if (!pool.ending) options.log.warn({ what: messageOf(error) }, 'catalog connection lost');
  });
  const close = async () => {
    if (!pool.ending) await pool.end();
    await embedded?.stop();
  };
  try {
    await reach(pool, url);
    await migrate(pool, await readMigrations());
  } catch (error) {
    await close();
    throw error;
  }
  return { pool, url, embedded, close };
}

async function reach(pool: pg.Pool, url: Secret): Promise<void> {
  try {
    await pool.query('select 1');
  } catch (error) {
    throw errors.unreachable([withoutPassword(url.reveal()), messageOf(error)], { cause: error });
  }
}
