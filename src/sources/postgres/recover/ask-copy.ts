/** What is asked of a copy that runs, by its socket, which asks nobody for a password. */
import { isHoldfastError } from '#base';
import { connectSql, parseConnectionUrl, type SqlConnection } from '../connection/index.ts';
import type { CopyState } from './copy-state.ts';
import { socketUrl } from './url.ts';

/** What a role may do in production says nothing of what a copy needs. Undefined where no superuser may log in. */
export async function superuserOf(state: CopyState): Promise<string | undefined> {
  const [row] = await asked(state, (connection) =>
    connection.query<{ name: string }>(
      'select rolname as name from pg_roles where rolsuper and rolcanlogin order by oid limit 1',
    ),
  );
  return row?.name;
}

/** Resolves when it is complete; to false where nobody can ask for one. Throws where it fails. */
export async function requestCheckpoint(state: CopyState): Promise<boolean> {
  const user = await superuserOf(state).catch((error: unknown) => {
    if (!isHoldfastError(error)) throw error;
    // The role of production's address, or its database, may not be there at this instant.
    return undefined;
  });
  if (user === undefined) return false;
  const { database } = state.access;
  await asked({ ...state, access: { user, database } }, async (connection) => {
    // Production's may be too short for it.
    await connection.query('set statement_timeout = 0');
    await connection.query('checkpoint');
  });
  return true;
}

async function asked<T>(
  state: CopyState,
  work: (connection: SqlConnection) => Promise<T>,
): Promise<T> {
  const connection = await connectSql(parseConnectionUrl(socketUrl(state)));
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}
