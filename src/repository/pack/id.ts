import { createHash } from 'node:crypto';

/** The id of a pack whose bytes come in parts that follow one another. */
export function packIdOf(parts: Iterable<Uint8Array>): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
