/** From a password to a key, as restic does it. */
import { scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { isMadePassword, type Secret } from '#base';
import { keyFromBytes, type MasterKey } from '../crypto/master-key.ts';
import { laneThreads, scryptInLanes } from './scrypt-lanes.ts';

export type ScryptParameters = { N: number; r: number; p: number };

/**
 * 64 MiB and some 200 ms a guess. What a guess costs on hardware made for guessing is memory times time, N² · p: as much
 * as at restic's calibrated N=32768, p=8, in less than half of the time that it takes those who know the password.
 */
export const DEFAULT_SCRYPT: ScryptParameters = { N: 65_536, r: 8, p: 2 };

/**
 * 1 MiB and some 3 ms. What stretching does is to make each guess dear, where few guesses would do: passwords of people.
 * One that Holdfast made is 256 bits of chance, as many as the key has that comes out; whoever could try so many, however
 * little each costs, would rather try the key itself. It is scrypt still, so that restic opens it.
 */
const MADE_PASSWORD_SCRYPT: ScryptParameters = { N: 1024, r: 8, p: 1 };

/** For a new key. Opening takes what the key's file says. */
export function scryptFor(password: Secret): ScryptParameters {
  return isMadePassword(password) ? MADE_PASSWORD_SCRYPT : DEFAULT_SCRYPT;
}

const MAX_MEMORY_BYTES = 1024 * 1024 * 1024;
const MAX_WORK = 2 ** 28;
const KEY_BYTES = 64;

const derive = promisify<Buffer, Buffer, number, object, Buffer>(scrypt);

/** A key file comes from outside: its parameters mustn't make us work or allocate without bound. */
export function areBearable({ N, r, p }: ScryptParameters): boolean {
  const whole = [N, r, p].every((value) => Number.isInteger(value) && value > 0);
  return (
    whole &&
    N > 1 &&
    (N & (N - 1)) === 0 &&
    128 * r * (N + p) <= MAX_MEMORY_BYTES &&
    N * r * p <= MAX_WORK
  );
}

/** Lanes side by side where that is quicker; nothing hangs on it. */
export async function passwordKey(
  password: Secret,
  salt: Buffer,
  parameters: ScryptParameters,
): Promise<MasterKey> {
  const secret = Buffer.from(password.reveal(), 'utf8');
  const threads = laneThreads(parameters);
  if (threads > 0) {
    const key = await scryptInLanes(secret, salt, KEY_BYTES, parameters, threads).catch(() => {
      // A thread that can't be had is no reason not to open: there is the other way.
    });
    if (key) return keyFromBytes(key);
  }
  const { N, r, p } = parameters;
  const maxmem = 128 * N * r + 128 * r * p + 1024 * 1024;
  return keyFromBytes(await derive(secret, salt, KEY_BYTES, { N, r, p, maxmem }));
}
