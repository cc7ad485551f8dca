import type pg from 'pg';
import { commandFailure, sqlState } from './failures.ts';

export interface SqlConnection {
  /** 150018 for 15.18. */
  readonly serverVersion: number;
  /** @throws postgres/command-failed, postgres/connection-lost */
  query<Row extends Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>;
  /** The same, but undefined where this role isn't allowed to ask or the server doesn't know the thing. */
  queryIfAllowed<Row extends Record<string, unknown>>(
    text: string,
    values?: unknown[],
  ): Promise<Row[] | undefined>;
  /** May be called at any time, twice too. */
  close(): Promise<void>;
}

/** insufficient_privilege, undefined_table, undefined_column, undefined_function, undefined_object */
const NOT_ALLOWED = new Set(['42501', '42P01', '42703', '42883', '42704']);

export function sqlConnection(client: pg.Client, serverVersion: number): SqlConnection {
  // A cut is told by the query that runs or the next one; without a listener Node would end the process.
  client.on('error', () => {});
  const run = async <Row extends Record<string, unknown>>(text: string, values: unknown[]) =>
    (await client.query<Row>(text, values)).rows;
  return {
    serverVersion,
    async query(text, values = []) {
      try {
        return await run(text, values);
      } catch (error) {
        throw commandFailure(error, text);
      }
    },
    async queryIfAllowed(text, values = []) {
      try {
        return await run(text, values);
      } catch (error) {
        if (NOT_ALLOWED.has(sqlState(error) ?? '')) return undefined;
        throw commandFailure(error, text);
      }
    },
    async close() {
      await client.end();
    },
  };
}
