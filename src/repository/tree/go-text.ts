/**
 * Text as Go writes it, because restic's trees are hashed as Go wrote them: `strconv.Quote` around names and the string
 * escaping of `encoding/json`. What is returned is a "byte string": each character stands for one byte (latin1).
 */

type Rune = { codePoint: number; width: number };

const PLAIN = /^[\x20-\x7e]*$/;
const JSON_SPECIAL = /["\\<>&]/;
/** Go prints letters, marks, numbers, punctuation, symbols; the exact sets follow the Unicode version of either side. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u;
const SHORT_ESCAPES: Record<number, string> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
};

/** The code point at `at` and its length; -1 and 1 where the bytes are no valid UTF-8, as Go counts it. */
export function decodeRune(bytes: Uint8Array, at: number): Rune {
  const first = bytes[at] as number;
  if (first < 0x80) return { codePoint: first, width: 1 };
  const width = first >= 0xf5 ? 0 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (width === 0 || at + width > bytes.length) return { codePoint: -1, width: 1 };
  let codePoint = first & (0xff >> (width + 1));
  for (let i = 1; i < width; i += 1) {
    const next = bytes[at + i] as number;
    if ((next & 0xc0) !== 0x80) return { codePoint: -1, width: 1 };
    codePoint = (codePoint << 6) | (next & 0x3f);
  }
  const least = width === 4 ? 0x10000 : width === 3 ? 0x800 : 0x80;
  const surrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
  if (codePoint < least || codePoint > 0x10ffff || surrogate) return { codePoint: -1, width: 1 };
  return { codePoint, width };
}

export function isUtf8(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; ) {
    const { codePoint, width } = decodeRune(bytes, at);
    if (codePoint < 0) return false;
    at += width;
  }
  return true;
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** `strconv.Quote` without its outer quotes: any bytes become printable UTF-8, and `unquoteName` brings them back. */
export function quoteName(name: Buffer): string {
  const text = name.toString('latin1');
  if (PLAIN.test(text) && !text.includes('"') && !text.includes('\\')) return text;
  let quoted = '';
  for (let at = 0; at < name.length; ) {
    const { codePoint, width } = decodeRune(name, at);
    quoted += quoteRune(codePoint, text.slice(at, at + width));
    at += width;
  }
  return quoted;
}

function quoteRune(codePoint: number, raw: string): string {
  if (codePoint < 0) return `\\x${hex(raw.charCodeAt(0), 2)}`;
  const short = SHORT_ESCAPES[codePoint];
  if (short) return short;
  if (codePoint < 0x20 || codePoint === 0x7f) return `\\x${hex(codePoint, 2)}`;
  if (codePoint < 0x7f || PRINTABLE.test(String.fromCodePoint(codePoint))) return raw;
  return codePoint < 0x10000 ? `\\u${hex(codePoint, 4)}` : `\\U${hex(codePoint, 8)}`;
}

/** A JSON string with its quotes as Go's encoder writes it. Bytes that are no UTF-8 become U+FFFD, which loses them. */
export function jsonString(bytes: Buffer): string {
  return jsonStringOfByteString(bytes.toString('latin1'));
}

/** The same for a byte string. */
export function jsonStringOfByteString(text: string): string {
  if (PLAIN.test(text) && !JSON_SPECIAL.test(text)) return `"${text}"`;
  const bytes = Buffer.from(text, 'latin1');
  let escaped = '"';
  for (let at = 0; at < bytes.length; ) {
    const { codePoint, width } = decodeRune(bytes, at);
    escaped += escapeRune(codePoint, text.slice(at, at + width));
    at += width;
  }
  return `${escaped}"`;
}

function escapeRune(codePoint: number, raw: string): string {
  if (codePoint < 0) return '\\ufffd';
  if (codePoint === 0x22 || codePoint === 0x5c) return `\\${raw}`;
  if (codePoint === 0x0a) return '\\n';
  if (codePoint === 0x0d) return '\\r';
  if (codePoint === 0x09) return '\\t';
  const escapedAsHex =
    codePoint < 0x20 ||
    codePoint === 0x3c ||
    codePoint === 0x3e ||
    codePoint === 0x26 ||
    codePoint === 0x2028 ||
    codePoint === 0x2029;
  return escapedAsHex ? `\\u${hex(codePoint, 4)}` : raw;
}

const UNQUOTED: Record<string, number> = {
  a: 7,
  b: 8,
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
  '"': 0x22,
  '\\': 0x5c,
};
const NUMERIC_ESCAPE = /x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})/y;

/** The raw bytes of a quoted name, or undefined where it isn't what `strconv.Quote` could have written. */
export function unquoteName(quoted: Buffer): Buffer | undefined {
  if (!quoted.includes(0x5c)) return quoted.includes(0x22) ? undefined : Buffer.from(quoted);
  const text = quoted.toString('latin1');
  const parts: Buffer[] = [];
  for (let at = 0; at < text.length; ) {
    const slash = text.indexOf('\\', at);
    const end = slash < 0 ? text.length : slash;
    const plain = quoted.subarray(at, end);
    if (plain.includes(0x22)) return undefined;
    parts.push(plain);
    if (slash < 0) break;
    const resolved = unquoteEscape(text, slash + 1);
    if (!resolved) return undefined;
    parts.push(resolved.bytes);
    at = resolved.end;
  }
  return Buffer.concat(parts);
}

function unquoteEscape(text: string, at: number): { bytes: Buffer; end: number } | undefined {
  const simple = UNQUOTED[text[at] ?? ''];
  if (simple !== undefined) return { bytes: Buffer.of(simple), end: at + 1 };
  NUMERIC_ESCAPE.lastIndex = at;
  const match = NUMERIC_ESCAPE.exec(text);
  if (!match) return undefined;
  const end = at + match[0].length;
  if (match[1]) return { bytes: Buffer.of(Number.parseInt(match[1], 16)), end };
  if (match[4]) return { bytes: Buffer.of(Number.parseInt(match[4], 8)), end };
  const codePoint = Number.parseInt((match[2] ?? match[3]) as string, 16);
  if (codePoint > 0x10ffff || (codePoint >= 0xd800 && codePoint <= 0xdfff)) return undefined;
  return { bytes: Buffer.from(String.fromCodePoint(codePoint)), end };
}
