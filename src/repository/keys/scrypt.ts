/** From a password to a key, as restic does it. */
import { scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import type { Secret } from '#base';
import { keyFromBytes, type MasterKey } from '../crypto/master-key.ts';

export type ScryptParameters = { N: number; r: number; p: number };

/**
 * 64 MiB and some 200 ms a guess. What a guess costs on hardware made for guessing is memory times time, N² · p: as much
 * as at restic's calibrated N=32768, p=8, in less than half of the time that it takes those who know the password.
 */
export const DEFAULT_SCRYPT: ScryptParameters = { N: 65_536, r: 8, p: 2 };

const MAX_MEMORY_BYTES = 1024 * 1024 * 1024;
const MAX_WORK = 2 ** 28;

const derive = promisify<Buffer, Buffer, number, object, Buffer>(scrypt);

/** A key file comes from outside: its parameters mustn't make us work or allocate without bound. */
export function areBearable({ N, r, p }: ScryptParameters): boolean {
  const whole = [N, r, p].every((value) => Number.isInteger(value) && value > 0);
  return (
    whole &&
    N > 1 &&
    (N & (N - 1)) === 0 &&
    128 * N * r <= MAX_MEMORY_BYTES &&
    N * r * p <= MAX_WORK
  );
}

export async function passwordKey(
  password: Secret,
  salt: Buffer,
  { N, r, p }: ScryptParameters,
): Promise<MasterKey> {
  const maxmem = 128 * N * r + 128 * r * p + 1024 * 1024;
  return keyFromBytes(
    await derive(Buffer.from(password.reveal(), 'utf8'), salt, 64, { N, r, p, maxmem }),
  );
}
