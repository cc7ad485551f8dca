/** A condition asked of a copy, as a person wrote it. */
import type { CopyPlace } from '../../parts.ts';
import type { SourceContext } from '../../source.ts';
import { conditionFailure } from './failures.ts';
import { connectToCopy } from './sessions.ts';

/** In a transaction that can't write. A parameter makes it one statement, so that it stays in there. */
export async function holdsInCopy(
  place: CopyPlace,
  { sql, database }: { sql: string; database?: string },
  context: SourceContext,
): Promise<boolean> {
  const copy = await connectToCopy(place, database, context);
  try {
    await copy.query('begin transaction read only');
    const text = sql.trim().replace(/;$/, '');
    const [row] = await copy
      .query<Record<string, unknown>>(
        `select * from (${text}\n) condition where $1::bool limit 1`,
        [true],
      )
      .catch((error: unknown) => {
        throw conditionFailure(error, sql);
      });
    const [value] = row === undefined ? [false] : Object.values(row);
    // A row of anything else is what was looked for; nothing is known of a null.
    return typeof value === 'boolean' ? value : row !== undefined && value !== null;
  } finally {
    await copy.close();
  }
}
