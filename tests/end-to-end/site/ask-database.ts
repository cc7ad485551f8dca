import pg from 'pg';

/** Asks a database by a connection of its own; resolves to what the last statement answered. */
export async function askDatabase(
  url: string,
  ...statements: string[]
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {
    // Servers are killed under it, and end by themselves on a full disk; the query that is under way tells.
  });
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) rows = (await client.query(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}
