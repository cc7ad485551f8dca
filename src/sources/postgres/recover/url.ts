import { type ConnectionSettings, parseConnectionUrl } from '../connection/index.ts';
import type { CopyState } from './copy-state.ts';

/** For services: over loopback, with the access that the store's own URL has. */
export function serviceUrl(state: CopyState, own: Record<string, unknown> | undefined): string {
  const original = typeof own?.url === 'string' ? parseConnectionUrl(own.url) : undefined;
  const user = original?.user ?? state.access.user;
  const database = original?.database ?? state.access.database;
  return `postgresql://${credentials(user, original?.password)}@127.0.0.1:${state.port}/${encodeURIComponent(database)}?sslmode=disable`;
}

/** For whoever may enter the copy's socket folder (its owner and root): no password is asked for. */
export function socketUrl(state: CopyState): string {
  const { user, database } = state.access;
  const host = encodeURIComponent(state.socketFolder);
  return `postgresql://${encodeURIComponent(user)}@/${encodeURIComponent(database)}?host=${host}&port=${state.port}`;
}

function credentials(user: string, password: ConnectionSettings['password']): string {
  const name = encodeURIComponent(user);
  return password === undefined ? name : `${name}:${encodeURIComponent(password.reveal())}`;
}
