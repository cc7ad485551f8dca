import { hash, timingSafeEqual } from 'node:crypto';
import { randomBytes } from './clock.ts';

/** A value that must not be shown: printing, serialising or interpolating it gives `[secret]`. */
const HIDDEN = '[secret]';

export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  /** The only way to the value; call it at the last moment. */
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return HIDDEN;
  }
  toJSON(): string {
    return HIDDEN;
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return HIDDEN;
  }
}

/** The URL without its password, for messages. Anything unparsable is hidden whole. */
export function withoutPassword(url: string): string {
  try {
    const parsed = new URL(url);
    if (parsed.password) parsed.password = '***';
    return parsed.toString();
  } catch {
    return HIDDEN;
  }
}

const MADE_PREFIX = 'holdfast-1-';
const MADE_BYTES = 32;
const CHECK_BYTES = 6;

/** A password of 256 bits of chance that says what it is: ASCII on one line, for a file and not for remembering. */
export function makePassword(): string {
  return formOf(randomBytes(MADE_BYTES));
}

/**
 * Whether `makePassword` made it, by every character: those that aren't chance are a checksum and fixed. What somebody
 * chose has that form only where it was copied from one that was made. Takes as long for a wrong character as for a right one.
 */
export function isMadePassword(password: Secret): boolean {
  const text = password.reveal();
  const given = Buffer.from(text, 'utf8');
  const bytes = Buffer.from(text.slice(MADE_PREFIX.length), 'base64url');
  if (bytes.length !== MADE_BYTES + CHECK_BYTES) return false;
  const wanted = Buffer.from(formOf(bytes.subarray(0, MADE_BYTES)), 'utf8');
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function formOf(chance: Buffer): string {
  const check = hash('sha256', Buffer.concat([Buffer.from(MADE_PREFIX), chance]), 'buffer');
  const whole = Buffer.concat([chance, check.subarray(0, CHECK_BYTES)]);
  return MADE_PREFIX + whole.toString('base64url');
}
