import { randomBytes } from './clock.ts';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** A short random name for what people type: `r7k2mq`. 32^length values; no i, l, o, u. */
export function shortId(prefix = '', length = 6): string {
  let text = prefix;
  for (const byte of randomBytes(length)) text += ALPHABET[byte & 31];
  return text;
}

/** A name that sorts by time and never collides: `20261121T104207123Z-k2m4q8ab`. */
export function timedId(nowMs: number): string {
  const stamp = new Date(nowMs).toISOString().replace(/[-:.]/g, '');
  return `${stamp}-${shortId('', 8)}`;
}
