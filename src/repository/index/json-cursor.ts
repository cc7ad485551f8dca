/**
 * A place in JSON bytes of which more may come. What can't be read whole yet throws `BREAKS_OFF`: whoever reads keeps
 * the bytes from where that thing began, and tries again with more.
 */

export const BREAKS_OFF: unique symbol = Symbol('the bytes end within a value');

/** The bytes aren't JSON, or not the JSON that was asked for. */
export class JsonShapeError extends Error {}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const MAX_UINT32 = 0xffff_ffff;

export class JsonCursor {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  /** How deep in brackets a skipped value is; -1 outside of one. */
  #skipDepth = -1;
  #skipping: 'nothing' | 'string' | 'escape' | 'word' = 'nothing';

  /** The next byte that isn't white space, without taking it. */
  peek(): number {
    const { bytes } = this;
    let at = this.at;
    for (; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) {
        this.at = at;
        return byte;
      }
    }
    this.at = at;
    throw BREAKS_OFF;
  }

  /** Takes the next byte, which must be this one. */
  take(byte: number): void {
    if (this.peek() !== byte) throw new JsonShapeError('its JSON is malformed');
    this.at += 1;
  }

  /** True where the next byte was this one, and was taken. */
  takeIf(byte: number): boolean {
    if (this.peek() !== byte) return false;
    this.at += 1;
    return true;
  }

  /** A string of at most 64 bytes; a longer one, or one with escapes, is told as `undefined`. */
  shortString(): string | undefined {
    this.take(QUOTE);
    const { bytes } = this;
    const start = this.at;
    let escapes = false;
    for (let at = start; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      if (byte === BACKSLASH) {
        escapes = true;
        at += 1;
      } else if (byte === QUOTE) {
        this.at = at + 1;
        return escapes || at - start > 64
          ? undefined
          : String.fromCharCode(...bytes.subarray(start, at));
      }
    }
    throw BREAKS_OFF;
  }

  uint32(): number {
    this.peek();
    const { bytes } = this;
    const start = this.at;
    let value = 0;
    let at = start;
    for (; at < bytes.length; at += 1) {
      const digit = (bytes[at] as number) - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      if (value > MAX_UINT32) throw new JsonShapeError('it tells of a blob that can not be');
    }
    if (at === bytes.length) throw BREAKS_OFF;
    const next = bytes[at] as number;
    const isFraction = next === 0x2e || next === 0x65 || next === 0x45;
    const leadingZero = at - start > 1 && bytes[start] === ZERO;
    if (at === start || isFraction || leadingZero) {
      throw new JsonShapeError('it tells of a blob that can not be');
    }
    this.at = at;
    return value;
  }

  /** True where `null` came, and was taken. */
  takeNull(): boolean {
    if (this.peek() !== 0x6e) return false;
    if (this.at + 4 > this.bytes.length) throw BREAKS_OFF;
    if (String.fromCharCode(...this.bytes.subarray(this.at, this.at + 4)) !== 'null') {
      throw new JsonShapeError('its JSON is malformed');
    }
    this.at += 4;
    return true;
  }

  get isSkipping(): boolean {
    return this.#skipDepth >= 0;
  }

  /** Begins to pass over a value of any kind and length; `skip` does it. */
  beginSkip(): void {
    this.#skipDepth = 0;
    this.#skipping = 'nothing';
  }

  forgetSkip(): void {
    this.#skipDepth = -1;
  }

  /** Goes on passing over the value. Throws `BREAKS_OFF` having taken all that was there: what is skipped isn't kept. */
  skip(): void {
    const { bytes } = this;
    for (; this.at < bytes.length; this.at += 1) {
      if (this.#skipByte(bytes[this.at] as number)) {
        this.#skipDepth = -1;
        return;
      }
    }
    throw BREAKS_OFF;
  }

  /** True where the value ended before this byte (of a word), or with it, which is taken then. */
  #skipByte(byte: number): boolean {
    if (this.#skipping === 'escape') {
      this.#skipping = 'string';
      return false;
    }
    if (this.#skipping === 'string') {
      if (byte === BACKSLASH) this.#skipping = 'escape';
      if (byte !== QUOTE) return false;
      this.#skipping = 'nothing';
      return this.#ends(0);
    }
    const isSpace = byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
    const isSeparator = byte === 0x2c || byte === 0x3a;
    const isClose = byte === 0x5d || byte === 0x7d;
    if (this.#skipping === 'word' && (isSpace || isSeparator || isClose)) {
      this.#skipping = 'nothing';
      // It belongs to what is around the word.
      if (this.#skipDepth === 0) return true;
    }
    if (isSpace) return false;
    if (byte === QUOTE) this.#skipping = 'string';
    else if (byte === 0x5b || byte === 0x7b) this.#skipDepth += 1;
    else if (isClose) return this.#ends(1);
    else if (isSeparator) {
      if (this.#skipDepth === 0) throw new JsonShapeError('its JSON is malformed');
    } else this.#skipping = 'word';
    return false;
  }

  #ends(closes: number): boolean {
    this.#skipDepth -= closes;
    if (this.#skipDepth < 0) throw new JsonShapeError('its JSON is malformed');
    if (this.#skipDepth > 0) return false;
    this.at += 1;
    return true;
  }
}
