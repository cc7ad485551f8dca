/** Tells whether a declaration changed. */
import { createHash } from 'node:crypto';
import { Secret } from '#base';

/** Changes whenever anything of a declaration does, secrets too; tells nothing of them. */
export function declarationDigest(value: unknown): string {
  const text = JSON.stringify(value);
  const secrets: string[] = [];
  collectSecrets(value, secrets);
  return createHash('sha256').update(text).update(secrets.join('\0')).digest('hex');
}

function collectSecrets(value: unknown, found: string[]): void {
  if (value instanceof Secret) found.push(value.reveal());
  else if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) collectSecrets(inner, found);
  }
}
