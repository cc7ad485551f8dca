/**
 * A pull reader of JSON that works on bytes: a tree may be larger than any JavaScript string, holds 64-bit numbers that
 * `JSON.parse` would round, and comes from outside. Nothing is kept but the place; depth is bounded.
 */

import { errors } from '../errors.ts';
import { ID_BYTES } from '../names.ts';
import { KeyOrder } from './key-order.ts';

/** An id in quotes, and what follows it. */
const WRITTEN_ID_BYTES = 67;
const NO_DIGIT = 0x10;
/** What a byte is worth as a hex digit. */
const DIGITS = Uint8Array.from({ length: 256 }, (_, byte) => {
  const value = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(value) ? NO_DIGIT : value;
});
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MAX_DEPTH = 64;
const MAX_UINT64 = 2n ** 64n - 1n;
/** Numbers that long are exact without 64 bits. */
const PLAIN_DIGITS = 15;
const SIMPLE_ESCAPES: Record<number, number> = {
  34: 0x22,
  92: 0x5c,
  47: 0x2f,
  98: 8,
  102: 12,
  110: 10,
  114: 13,
  116: 9,
};

export class JsonBytes {
  readonly #bytes: Buffer;
  #at: number;

  /** `at`: where it begins. */
  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get position(): number {
    return this.#at;
  }

  /** The next byte that isn't white space, not taken; -1 at the end. */
  peek(): number {
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) return -1;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
      this.#at += 1;
    }
  }

  fail(why: string): never {
    throw errors.treeDamaged([`${why} at byte ${this.#at}`]);
  }

  expectEnd(): void {
    if (this.peek() !== -1) this.fail('something follows its end');
  }

  /** Takes a comma where it comes next. */
  takeComma(): boolean {
    return this.#takeIf(',');
  }

  /** Takes `null` where it comes next. */
  takeNull(): boolean {
    if (this.peek() !== 0x6e) return false;
    this.#takeWord('null');
    return true;
  }

  /** Takes what comes next where it is exactly this, byte for byte; nothing is never there. */
  takeExactly(written: Uint8Array, length = written.length): boolean {
    this.peek();
    const bytes = this.#bytes;
    const start = this.#at;
    for (let at = 0; at < length; at += 1) if (bytes[start + at] !== written[at]) return false;
    this.#at = start + length;
    return length > 0;
  }

  /** Copies what was taken since `start`, for `takeExactly`. Returns how much that is: nothing where it has no room. */
  copyTaken(start: number, into: Uint8Array): number {
    const length = this.#at - start;
    if (length > into.length) return 0;
    into.set(this.#bytes.subarray(start, this.#at));
    return length;
  }

  /** Each key of an object; whoever iterates must take or skip the value before going on. */
  *objectKeys(): Generator<string> {
    this.#expect('{');
    if (this.#takeIf('}')) return;
    const order = new KeyOrder();
    do {
      const { likely } = order;
      if (likely && this.takeExactly(likely.written)) order.came(likely);
      else {
        order.cameAs(this.readString().toString('latin1'));
        this.#expect(':');
      }
      yield order.key;
    } while (this.#commaOr('}'));
  }

  /** Once for each element of an array; whoever iterates must take or skip it before going on. */
  *arrayElements(): Generator<void> {
    this.#expect('[');
    if (this.#takeIf(']')) return;
    do yield;
    while (this.#commaOr(']'));
  }

  /** The bytes of a string, escapes resolved; lone surrogates become U+FFFD. */
  readString(): Buffer {
    this.#expect('"');
    const bytes = this.#bytes;
    const start = this.#at;
    let end = start;
    for (; ; end += 1) {
      const byte = bytes[end];
      if (byte === undefined) this.fail('a string has no end');
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) return this.#readEscapedString(start, end);
      if (byte < 0x20) this.fail('a control character lies bare in a string');
    }
    this.#at = end + 1;
    return bytes.subarray(start, end);
  }

  /** An array of ids, in one buffer: a large file has millions. */
  readIds(): Buffer {
    this.#expect('[');
    if (this.#takeIf(']')) return Buffer.alloc(0);
    const end = this.#bytes.indexOf(']', this.#at);
    if (end === -1) this.fail('an array has no end');
    const most = Math.floor((end - this.#at + 1) / WRITTEN_ID_BYTES);
    const ids = Buffer.allocUnsafe(most * ID_BYTES);
    let used = 0;
    do {
      if (used === ids.length) this.fail('an id is not 64 hex digits');
      this.readIdInto(ids, used);
      used += ID_BYTES;
    } while (this.#commaOr(']'));
    return ids.subarray(0, used);
  }

  /** 32 bytes written as 64 hex digits, put into `target` at `offset`. */
  readIdInto(target: Buffer, offset: number): void {
    this.#expect('"');
    const bytes = this.#bytes;
    let at = this.#at;
    let seen = 0;
    // A large file has millions: neither strings nor calls of their own.
    for (let to = offset; to < offset + ID_BYTES; to += 1) {
      const high = DIGITS[bytes[at] ?? 0] as number;
      const low = DIGITS[bytes[at + 1] ?? 0] as number;
      seen |= high | low;
      target[to] = (high << 4) | low;
      at += 2;
    }
    const isId = seen < NO_DIGIT && bytes[at] === QUOTE;
    if (!isId) this.fail('an id is not 64 hex digits');
    this.#at += 65;
  }

  readUint64(): bigint {
    const start = this.#skipDigits();
    const plain = this.#plainNumber(start);
    if (plain !== undefined) return BigInt(plain);
    const digits = this.#bytes.toString('latin1', start, this.#at);
    if (digits.length === 0 || digits.length > 20) this.fail('a number is not within 64 bits');
    const value = BigInt(digits);
    if (value > MAX_UINT64) this.fail('a number is not within 64 bits');
    return value;
  }

  readUint32(): number {
    const value = this.#plainNumber(this.#skipDigits());
    if (value === undefined || value > 0xffff_ffff) this.fail('a number is not within 32 bits');
    return value;
  }

  skipValue(depth = 0): void {
    if (depth > MAX_DEPTH) this.fail(`more than ${MAX_DEPTH} levels lie within one another`);
    const next = this.peek();
    if (next === 0x7b) {
      for (const _ of this.objectKeys()) this.skipValue(depth + 1);
    } else if (next === 0x5b) {
      for (const _ of this.arrayElements()) this.skipValue(depth + 1);
    } else if (next === QUOTE) {
      this.readString();
    } else if (next === 0x74) this.#takeWord('true');
    else if (next === 0x66) this.#takeWord('false');
    else if (next === 0x6e) this.#takeWord('null');
    else this.#skipNumber();
  }

  #readEscapedString(start: number, firstEscape: number): Buffer {
    const parts: Buffer[] = [];
    let plainFrom = start;
    for (let at = firstEscape; ; ) {
      const byte = this.#bytes[at];
      if (byte === undefined) this.fail('a string has no end');
      if (byte < 0x20) this.fail('a control character lies bare in a string');
      if (byte === QUOTE) {
        parts.push(this.#bytes.subarray(plainFrom, at));
        this.#at = at + 1;
        return Buffer.concat(parts);
      }
      if (byte !== BACKSLASH) {
        at += 1;
        continue;
      }
      parts.push(this.#bytes.subarray(plainFrom, at));
      at = this.#readEscape(at + 1, parts);
      plainFrom = at;
    }
  }

  /** Resolves what follows a backslash at `at`; returns where the text goes on. */
  #readEscape(at: number, parts: Buffer[]): number {
    const simple = SIMPLE_ESCAPES[this.#bytes[at] ?? -1];
    if (simple !== undefined) {
      parts.push(Buffer.of(simple));
      return at + 1;
    }
    const unit = this.#hexUnit(at);
    if (unit === undefined) this.fail('a string holds an unknown escape');
    const isHigh = unit >= 0xd800 && unit < 0xdc00;
    const low = isHigh && this.#bytes[at + 5] === BACKSLASH ? this.#hexUnit(at + 6) : undefined;
    const isPair = low !== undefined && low >= 0xdc00 && low < 0xe000;
    // Buffer.from turns a lone surrogate into U+FFFD.
    const text = isPair ? String.fromCharCode(unit, low) : String.fromCharCode(unit);
    parts.push(Buffer.from(text));
    return at + (isPair ? 11 : 5);
  }

  /** The UTF-16 unit of `uXXXX` at `at`. */
  #hexUnit(at: number): number | undefined {
    const text = this.#bytes.toString('latin1', at, at + 5);
    return /^u[0-9a-fA-F]{4}$/.test(text) ? Number.parseInt(text.slice(1), 16) : undefined;
  }

  #skipDigits(): number {
    this.peek();
    const start = this.#at;
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined || byte < 0x30 || byte > 0x39) return start;
      this.#at += 1;
    }
  }

  /** Of the digits since `start`; undefined where there are none, or so many that it may not be exact. */
  #plainNumber(start: number): number | undefined {
    if (this.#at === start || this.#at - start > PLAIN_DIGITS) return undefined;
    let value = 0;
    for (let at = start; at < this.#at; at += 1) value = value * 10 + (this.#bytes[at] ?? 0) - 0x30;
    return value;
  }

  #skipNumber(): void {
    const start = this.#at;
    while (/[-+.0-9eE]/.test(String.fromCharCode(this.#bytes[this.#at] ?? 0))) this.#at += 1;
    const text = this.#bytes.toString('latin1', start, Math.min(this.#at, start + 400));
    if (!/^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(text)) this.fail('a value is none');
  }

  #takeWord(word: string): void {
    if (this.#bytes.toString('latin1', this.#at, this.#at + word.length) !== word) {
      this.fail('a value is none');
    }
    this.#at += word.length;
  }

  #takeIf(character: string): boolean {
    if (this.peek() !== character.charCodeAt(0)) return false;
    this.#at += 1;
    return true;
  }

  #expect(character: string): void {
    if (!this.#takeIf(character)) this.fail(`"${character}" is missing`);
  }

  /** After a member: true for a comma, false for the closing bracket. */
  #commaOr(closing: string): boolean {
    if (this.#takeIf(',')) return true;
    this.#expect(closing);
    return false;
  }
}
