/** A read-only session on a recovered database, within a bound of time. */
import pg from 'pg';
import type { CheckContext } from './seen.ts';

/**
 * The session can't write: a check that would change the copy fails with the server's own words. Rejects with what
 * went wrong; the connection is closed in any case.
 */
export async function withDatabase<T>(
  url: string,
  context: CheckContext,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: Math.min(context.timeoutMs, 10_000),
    statement_timeout: context.timeoutMs,
    query_timeout: context.timeoutMs + 1_000,
    application_name: 'holdfast check',
  });
  // A connection that breaks between two queries says so here too; the query that follows rejects by itself.
  client.on('error', () => {});
  const onAbort = () => {
    // Whoever awaits the query gets its rejection; that of ending adds nothing.
    void client.end().catch(() => {});
  };
  context.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await client.connect();
    await client.query('begin transaction isolation level repeatable read read only');
    return await work(client);
  } finally {
    context.signal?.removeEventListener('abort', onAbort);
    await client.end().catch(() => {
      // It was broken already: there is nothing to close.
    });
  }
}

export function storeUrl(store: string, context: CheckContext): string | undefined {
  const { stores } = context.bindings;
  return Object.hasOwn(stores, store) ? stores[store]?.url : undefined;
}
