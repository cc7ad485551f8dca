/** What a server's refusal means to whoever brings rows back. Judged by SQLSTATE, never by texts. */
import { sqlState } from '../connection/index.ts';
import { errors } from '../errors.ts';
import type { Session } from './sessions.ts';

type ServerFields = {
  code: string;
  message: string;
  detail?: string;
  schema?: string;
  table?: string;
  column?: string;
  constraint?: string;
};

/** What the server said, of an error or of what it was caused by. */
function serverFields(error: unknown): ServerFields | undefined {
  if (sqlState(error) !== undefined) return error as ServerFields;
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? undefined : serverFields(cause);
}

const CASTING = new Set(['22P02', '22003', '22001', '42846', '22007', '22008', '42804', '22P03']);

/** A question of the user's own, asked of a copy. */
export function conditionFailure(error: unknown, sql: string): unknown {
  const said = serverFields(error);
  if (!said || /^(08|57|53|58|XX)/.test(said.code)) return error;
  return errors.conditionInvalid([sql, said.message], { cause: error });
}

/** A value of the copy that doesn't become one of production's type. */
export function castFailure(error: unknown, table: string, columns: readonly string[]): unknown {
  const said = serverFields(error);
  if (!said || !CASTING.has(said.code)) return error;
  return errors.typeDoesNotFit([table, columns, said.message], { cause: error });
}

/** Of writing to production: it has been rolled back. */
export async function writeFailure(error: unknown, production: Session): Promise<unknown> {
  const said = serverFields(error);
  if (!said) return error;
  const detail = { cause: error };
  const table = said.table ?? '';
  const constraint = said.constraint ?? '';
  const why = said.detail ?? said.message;
  switch (said.code) {
    case '23503':
    case '23001':
      return errors.referenceMissing(
        [constraint, table, why, await otherEndOf(production, constraint, said)],
        detail,
      );
    case '23505':
      return errors.valueTaken([constraint, table, why], detail);
    case '23502':
    case '23514':
    case '23P01':
    case '44000':
      return errors.rowRefused([table, said.message], detail);
    case '42501':
      return errors.writeNotAllowed([said.message], detail);
    case '25006':
      return errors.productionReadOnly([], detail);
    case '55P03':
      return errors.tableLocked([said.message], detail);
    default:
      return error;
  }
}

/** The table that a foreign key refers to. */
async function otherEndOf(
  production: Session,
  constraint: string,
  { schema = '', table = '' }: ServerFields,
): Promise<string> {
  const rows = await production
    .query<{ name: string }>(
      `select f.relname as name from pg_constraint k
         join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
         join pg_class f on f.oid = k.confrelid
        where k.conname = $1 and n.nspname = $2 and c.relname = $3`,
      [constraint, schema, table],
    )
    // It only helps to say what to do.
    .catch(() => []);
  return rows[0]?.name ?? '';
}
