/** A blob of an index exactly as restic and we write it: many millions of them, so that each byte is looked at once. */
import { LENGTH_WORD, OFFSET_WORD, PACK_WORD, PLAIN_WORD, TREE_BIT } from './entry-words.ts';
import type { JsonCursor } from './json-cursor.ts';

const ascii = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));

const BEFORE_ID = ascii('{"id":"');
const BEFORE_TYPE = ascii('","type":"');
const BEFORE_OFFSET = ascii('","offset":');
const BEFORE_LENGTH = ascii(',"length":');
const BEFORE_PLAIN = ascii(',"uncompressed_length":');
const CLOSE_BRACE = 0x7d;
const COMMA = 0x2c;
const SEAL_BYTES = 32;
const MAX_UINT32 = 0xffff_ffff;

/** All fields with their longest numbers. */
const MAX_BYTES = 256;

/** By the two digits, the first one in the low byte: their value, or 0xff00 where they are no lower-case hex. */
const HEX_PAIRS = hexPairs();

function hexPairs(): Uint16Array {
  const pairs = new Uint16Array(65_536).fill(0xff00);
  for (let value = 0; value < 256; value += 1) {
    const text = value.toString(16).padStart(2, '0');
    pairs[text.charCodeAt(0) | (text.charCodeAt(1) << 8)] = value;
  }
  return pairs;
}

/** A number's end, and the number: two results without an object for each. */
let numberEnd = 0;

/** True where it was taken: its words are written then. Else nothing was taken. */
export function takeUsualBlob(cursor: JsonCursor, words: Uint32Array, to: number): boolean {
  const { bytes } = cursor;
  let at = cursor.at;
  if (at + MAX_BYTES > bytes.length || !follows(bytes, at, BEFORE_ID)) return false;
  at += BEFORE_ID.length;
  if (!takeId(bytes, at, words, to)) return false;
  at += 64;
  if (!follows(bytes, at, BEFORE_TYPE)) return false;
  at += BEFORE_TYPE.length;
  // `data` or `tree`, the next field's beginning being four bytes on in either.
  const type = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  const rest = (bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8);
  const isData = type === 0x6164 && rest === 0x6174;
  const isTree = type === 0x7274 && rest === 0x6565;
  if ((!isData && !isTree) || !follows(bytes, at + 4, BEFORE_OFFSET)) return false;
  const offset = number(bytes, at + 4 + BEFORE_OFFSET.length);
  at = numberEnd;
  if (offset < 0 || !follows(bytes, at, BEFORE_LENGTH)) return false;
  const length = number(bytes, at + BEFORE_LENGTH.length);
  at = numberEnd;
  if (length < SEAL_BYTES) return false;
  let plain = 0;
  if (bytes[at] === COMMA) {
    if (!follows(bytes, at, BEFORE_PLAIN)) return false;
    plain = number(bytes, at + BEFORE_PLAIN.length);
    at = numberEnd;
    if (plain < 0) return false;
  }
  if (bytes[at] !== CLOSE_BRACE) return false;
  words[to + PACK_WORD] = isTree ? TREE_BIT : 0;
  words[to + OFFSET_WORD] = offset;
  words[to + LENGTH_WORD] = length;
  words[to + PLAIN_WORD] = plain;
  cursor.at = at + 1;
  return true;
}

function follows(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i += 1) if (bytes[at + i] !== text[i]) return false;
  return true;
}

function takeId(bytes: Uint8Array, from: number, words: Uint32Array, to: number): boolean {
  let wrong = 0;
  for (let word = 0; word < 8; word += 1) {
    const at = from + word * 8;
    const a = pairAt(bytes, at);
    const b = pairAt(bytes, at + 2);
    const c = pairAt(bytes, at + 4);
    const d = pairAt(bytes, at + 6);
    wrong |= a | b | c | d;
    words[to + word] = a | (b << 8) | (c << 16) | (d << 24);
  }
  return wrong < 256;
}

function pairAt(bytes: Uint8Array, at: number): number {
  return HEX_PAIRS[(bytes[at] as number) | ((bytes[at + 1] as number) << 8)] as number;
}

/** -1 where there is no whole number of 32 bits in its shortest form. Sets `numberEnd`. */
function number(bytes: Uint8Array, from: number): number {
  let value = 0;
  let at = from;
  for (; at - from < 11; at += 1) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  numberEnd = at;
  const leadingZero = at - from > 1 && bytes[from] === 0x30;
  return at === from || leadingZero || value > MAX_UINT32 ? -1 : value;
}
