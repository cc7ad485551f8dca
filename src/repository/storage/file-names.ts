/** What may be a name in a storage: nothing that could lead outside of it. */
import { errors } from '../errors.ts';

const MAX_NAME_LENGTH = 1024;

/** Throws `repository/bad-name`. */
export function checkName(name: string): void {
  const parts = name.split('/');
  const bad = parts.some((part) => part === '' || part === '.' || part === '..');
  if (bad || name.length > MAX_NAME_LENGTH || name.includes('\0') || name.includes('\\')) {
    throw errors.badName([name]);
  }
}

/** A prefix may end anywhere, also with `/`; the empty one means everything. */
export function checkPrefix(prefix: string): void {
  if (prefix !== '') checkName(prefix.endsWith('/') ? prefix.slice(0, -1) : prefix);
}
