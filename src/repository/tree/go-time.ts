/**
 * Times as Go's `time.Time` writes itself into JSON: RFC 3339 in the local zone with up to 9 digits of the second,
 * trailing zeros dropped. Years outside 0 to 9999 can't be written; restic pulls them to that bound, and so do we.
 */

const NS_PER_MS = 1_000_000n;
const NS_PER_S = 1_000_000_000n;
const MS_PER_MINUTE = 60_000;
/** Beyond this JavaScript's Date knows no time: some 273,000 years. */
const MAX_DATE_MS = 8.64e15 - 86_400_000;

/** `2026-11-21T10:42:07.123456789+01:00`, `Z` where the offset is zero. */
export function formatGoTime(ns: bigint): string {
  let fractionNs = ns % NS_PER_S;
  if (fractionNs < 0n) fractionNs += NS_PER_S;
  const utcMs = Number((ns - fractionNs) / NS_PER_MS);
  const boundedMs = Math.min(Math.max(utcMs, -MAX_DATE_MS), MAX_DATE_MS);
  const offsetMinutes = localOffsetMinutes(boundedMs);
  const local = new Date(boundedMs + offsetMinutes * MS_PER_MINUTE);
  const year = local.getUTCFullYear();
  if (year < 0) local.setUTCFullYear(0);
  if (year > 9999) local.setUTCFullYear(9999);
  const fraction =
    fractionNs === 0n ? '' : `.${fractionNs.toString().padStart(9, '0')}`.replace(/0+$/, '');
  return `${local.toISOString().slice(0, 19)}${fraction}${formatOffset(offsetMinutes)}`;
}

const MINUTE_S = 60;
/** Years 1980 to 9998: since then zones change at whole minutes, and the text has four digits for the year. */
const FIRST_PLAIN_S = 315_532_800;
const LAST_PLAIN_S = 253_370_764_800;
const KEPT_MINUTES = 4096;
/** Text before and after the seconds, by the minute: files of one folder are mostly of the same few. */
const minutes = new Map<number, { before: string; after: string }>();

/** `formatGoTime` of whole seconds and the nanoseconds (0 to 999,999,999) that come to them, without 64-bit numbers. */
export function formatGoSeconds(seconds: number, nanoseconds: number): string {
  if (seconds < FIRST_PLAIN_S || seconds >= LAST_PLAIN_S) {
    return formatGoTime(BigInt(seconds) * NS_PER_S + BigInt(nanoseconds));
  }
  const minute = Math.floor(seconds / MINUTE_S);
  let known = minutes.get(minute);
  if (!known) {
    const text = formatGoTime(BigInt(minute * MINUTE_S) * NS_PER_S);
    known = { before: text.slice(0, 17), after: text.slice(19) };
    if (minutes.size >= KEPT_MINUTES) minutes.clear();
    minutes.set(minute, known);
  }
  const second = seconds - minute * MINUTE_S;
  return `${known.before}${second < 10 ? '0' : ''}${second}${fractionText(nanoseconds)}${known.after}`;
}

function fractionText(nanoseconds: number): string {
  if (nanoseconds === 0) return '';
  let digits = 9;
  let rest = nanoseconds;
  while (rest % 10 === 0) {
    rest /= 10;
    digits -= 1;
  }
  return `.${String(rest).padStart(digits, '0')}`;
}

/**
 * Minutes east of Greenwich on this machine at that instant. Zones of old counted seconds too, which RFC 3339 can't
 * say: JavaScript gives whole minutes, and the instant stays exact (Go writes the seconds of the clock and loses them).
 */
function localOffsetMinutes(utcMs: number): number {
  return -new Date(utcMs).getTimezoneOffset();
}

function formatOffset(offsetMinutes: number): string {
  if (offsetMinutes === 0) return 'Z';
  const absolute = Math.abs(offsetMinutes);
  const hours = String(Math.floor(absolute / 60)).padStart(2, '0');
  const minutes = String(absolute % 60).padStart(2, '0');
  return `${offsetMinutes < 0 ? '-' : '+'}${hours}:${minutes}`;
}

const RFC_3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,18}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** Nanoseconds since 1970, or undefined where the text is no RFC 3339 time. */
export function parseGoTime(text: string): bigint | undefined {
  const match = RFC_3339.exec(text);
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const inRange =
    month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60 && second < 60;
  if (!inRange) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const offsetMinutes =
    (Number(match[9] ?? 0) * 60 + Number(match[10] ?? 0)) * (match[8] === '-' ? -1 : 1);
  const fractionNs = BigInt((match[7] ?? '').slice(0, 9).padEnd(9, '0'));
  return BigInt(date.getTime() - offsetMinutes * MS_PER_MINUTE) * NS_PER_MS + fractionNs;
}

const POWERS_OF_TEN = Array.from({ length: 10 }, (_, digits) => 10 ** digits);
/** `2026-11-21T10:42:07Z`, and how much longer it is with nine digits of the second. */
const SECONDS_LENGTH = 20;
const FRACTION_LENGTH = 10;

/** `parseGoTime` of the bytes of what is written most, in UTC; undefined for whatever else, which may be a time too. */
export function parseUsualGoTime(text: Uint8Array): bigint | undefined {
  const { length } = text;
  const fractionDigits = length - SECONDS_LENGTH - 1;
  const hasShape =
    length >= SECONDS_LENGTH &&
    length <= SECONDS_LENGTH + FRACTION_LENGTH &&
    fractionDigits !== 0 &&
    text[4] === 0x2d &&
    text[7] === 0x2d &&
    text[10] === 0x54 &&
    text[13] === 0x3a &&
    text[16] === 0x3a &&
    text[19] === (fractionDigits > 0 ? 0x2e : 0x5a) &&
    text[length - 1] === 0x5a;
  if (!hasShape) return undefined;
  const year = digitsOf(text, 0, 4);
  const month = digitsOf(text, 5, 7);
  const day = digitsOf(text, 8, 10);
  const hour = digitsOf(text, 11, 13);
  const minute = digitsOf(text, 14, 16);
  const second = digitsOf(text, 17, 19);
  const fraction = fractionDigits > 0 ? digitsOf(text, 20, length - 1) : 0;
  const isDate = year >= 1000 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
  const isTime = hour < 24 && minute < 60 && second < 60;
  // What holds something else than digits is no number, which no bound holds for.
  if (!isDate || !isTime || Number.isNaN(fraction)) return undefined;
  const seconds = Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
  const fractionNs = fraction * (POWERS_OF_TEN[9 - Math.max(0, fractionDigits)] as number);
  return BigInt(seconds) * NS_PER_S + BigInt(fractionNs);
}

/** NaN where they aren't digits. */
function digitsOf(text: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at += 1) {
    const digit = (text[at] as number) - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}
