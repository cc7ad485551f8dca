/** Bytes of one object on their way out and in. */
import { createHash, hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { idOfName } from '../../names.ts';

/** Names of these end with the SHA-256 of their bytes. */
const NAMED_BY_CONTENT = /^(data|index|snapshots|keys|locks)\//;

/** What the request is signed with: taken from the name where the name is the hash, so that nothing is hashed twice. */
export function sha256Of(name: string, parts: readonly Uint8Array[]): string {
  const id = NAMED_BY_CONTENT.test(name) ? idOfName(name) : undefined;
  if (id !== undefined) return id;
  const [only, second] = parts;
  if (only && !second) return hash('sha256', only, 'hex');
  const whole = createHash('sha256');
  for (const part of parts) whole.update(part);
  return whole.digest('hex');
}

export function crc32Of(parts: readonly Uint8Array[]): string {
  let sum = 0;
  for (const part of parts) sum = crc32(part, sum);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(sum);
  return bytes.toString('base64');
}

export function md5Of(parts: readonly Uint8Array[]): string {
  const sum = createHash('md5');
  for (const part of parts) sum.update(part);
  return sum.digest('base64');
}

/** Into memory of its own. Rejects where the connection ends early; what comes beyond `length` isn't taken. */
export async function collect(body: Readable, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let have = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (have + chunk.length > length) throw new Error(`more than ${length} bytes came`);
    chunk.copy(bytes, have);
    have += chunk.length;
  }
  if (have < length) throw new Error(`the connection ended after ${have} of ${length} bytes`);
  return bytes;
}
