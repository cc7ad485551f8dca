/**
 * WHEN as people write it. A time without a date is the latest such instant that isn't in the future; a time without a
 * zone is local.
 */
import { parseDurationMs } from '#base';
import type { When } from '#recovery';
import { errors } from '../errors.ts';

/** Throws `cli/unparsable-when`. Whether the instant can be recovered to is not judged here. */
export function parseWhen(text: string, nowMs: number): When {
  const trimmed = text.trim().replace(/\s+/g, ' ');
  if (trimmed === '') throw errors.unparsableWhen([text, 'it is empty']);
  const found =
    latest(trimmed) ??
    logSequenceNumber(trimmed) ??
    namedInstant(trimmed) ??
    ago(trimmed, nowMs) ??
    timeOfDay(trimmed, nowMs) ??
    isoTime(trimmed) ??
    shownDate(trimmed, nowMs) ??
    epochSeconds(trimmed);
  if (found) return found;
  throw errors.unparsableWhen([text, reasonFor(trimmed)]);
}

/** How an instant is shown, local time; reads back through `parseWhen`. */
export function formatInstant(atMs: number, nowMs: number): string {
  const at = new Date(atMs);
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
  const now = new Date(nowMs);
  if (at.toDateString() === now.toDateString()) return clock;
  const day = `${at.getDate()} ${MONTHS[at.getMonth()]}`;
  const year = at.getFullYear() === now.getFullYear() ? '' : ` ${at.getFullYear()}`;
  return `${day}${year} ${clock}`;
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

function two(value: number): string {
  return String(value).padStart(2, '0');
}

function latest(text: string): When | undefined {
  return /^(latest|now|end)$/i.test(text) ? { kind: 'latest' } : undefined;
}

function logSequenceNumber(text: string): When | undefined {
  const match = /^([0-9a-f]{1,8})\/([0-9a-f]{1,8})$/i.exec(text);
  if (!match) return undefined;
  return { kind: 'lsn', lsn: (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`) };
}

function namedInstant(text: string): When | undefined {
  const point = /^restore[- ]point (\S+)$/i.exec(text);
  if (point) return { kind: 'restore-point', name: point[1] as string };
  const mark = /^before(?: the)?(?: last| latest)? ([a-z][a-z0-9-]*)(?: (\S+))?$/i.exec(text);
  if (!mark) return undefined;
  const name = mark[2] === undefined ? {} : { name: mark[2] };
  return { kind: 'before-mark', markKind: (mark[1] as string).toLowerCase(), ...name };
}

function ago(text: string, nowMs: number): When | undefined {
  const match = /^(.+?) ago$/i.exec(text);
  if (!match) return undefined;
  const spanMs = parseDurationMs(shortUnits(match[1] as string));
  return spanMs === undefined ? undefined : { kind: 'time', atMs: nowMs - spanMs };
}

/** `5 minutes`, `1 hour 30 min` as parseDurationMs knows them. */
function shortUnits(text: string): string {
  return text
    .toLowerCase()
    .replace(/\s+(?=[a-z])/g, '')
    .replace(/(\d)(seconds?|secs?)\b/g, '$1s')
    .replace(/(\d)(minutes?|mins?)\b/g, '$1m')
    .replace(/(\d)(hours?|hrs?)\b/g, '$1h')
    .replace(/(\d)days?\b/g, '$1d')
    .replace(/(\d)weeks?\b/g, '$1w')
    .replace(/\s+/g, '');
}

type Clock = { hour: number; minute: number; second: number; millisecond: number };

function clockOf(hour: string, minute: string, second?: string, fraction?: string) {
  const clock: Clock = {
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second ?? 0),
    // Cut, not rounded: the instant named is never later than what was written.
    millisecond: Number((fraction ?? '0').slice(0, 3).padEnd(3, '0')),
  };
  return clock.hour < 24 && clock.minute < 60 && clock.second < 60 ? clock : undefined;
}

const CLOCK = String.raw`(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?`;

function timeOfDay(text: string, nowMs: number): When | undefined {
  const match = new RegExp(`^(?:(today|yesterday) )?${CLOCK}$`, 'i').exec(text);
  if (!match) return undefined;
  const clock = clockOf(match[2] as string, match[3] as string, match[4], match[5]);
  if (!clock) return undefined;
  const now = new Date(nowMs);
  const on = (daysBack: number) =>
    localTime(now.getFullYear(), now.getMonth(), now.getDate() - daysBack, clock);
  const day = match[1]?.toLowerCase();
  if (day === 'yesterday') return { kind: 'time', atMs: on(1) };
  if (day === 'today' || on(0) <= nowMs) return { kind: 'time', atMs: on(0) };
  return { kind: 'time', atMs: on(1) };
}

function localTime(year: number, month: number, day: number, clock: Clock): number {
  return new Date(
    year,
    month,
    day,
    clock.hour,
    clock.minute,
    clock.second,
    clock.millisecond,
  ).getTime();
}

function isoTime(text: string): When | undefined {
  const match = new RegExp(
    String.raw`^(\d{4})-(\d{2})-(\d{2})(?:[T ]${CLOCK} ?(Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?$`,
    'i',
  ).exec(text);
  if (!match) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]) - 1, Number(match[3])];
  const clock = clockOf(match[4] ?? '0', match[5] ?? '00', match[6], match[7]);
  if (!clock || !dayExists(year, month, day)) return undefined;
  const zone = match[8];
  if (zone === undefined) return { kind: 'time', atMs: localTime(year, month, day, clock) };
  const utcMs = Date.UTC(
    year,
    month,
    day,
    clock.hour,
    clock.minute,
    clock.second,
    clock.millisecond,
  );
  return { kind: 'time', atMs: utcMs - zoneOffsetMs(zone) };
}

function dayExists(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month, day));
  return date.getUTCMonth() === month && date.getUTCDate() === day;
}

function zoneOffsetMs(zone: string): number {
  const match = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone);
  if (!match) return 0;
  const minutes = Number(match[2]) * 60 + Number(match[3] ?? 0);
  return (match[1] === '-' ? -1 : 1) * minutes * 60_000;
}

/** `22 Oct 09:14` as the screens show it, `22 Oct 2026 09:14` too. */
function shownDate(text: string, nowMs: number): When | undefined {
  const match = new RegExp(`^(\\d{1,2}) ([A-Za-z]{3,9})(?: (\\d{4}))? ${CLOCK}$`).exec(text);
  if (!match) return undefined;
  const month = MONTHS.findIndex((name) =>
    (match[2] as string).toLowerCase().startsWith(name.toLowerCase()),
  );
  const clock = clockOf(match[4] as string, match[5] as string, match[6], match[7]);
  if (month < 0 || !clock) return undefined;
  const thisYear = new Date(nowMs).getFullYear();
  const year = match[3] === undefined ? thisYear : Number(match[3]);
  if (!dayExists(year, month, Number(match[1]))) return undefined;
  const atMs = localTime(year, month, Number(match[1]), clock);
  if (match[3] !== undefined || atMs <= nowMs) return { kind: 'time', atMs };
  return { kind: 'time', atMs: localTime(year - 1, month, Number(match[1]), clock) };
}

function epochSeconds(text: string): When | undefined {
  const match = /^@(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) return undefined;
  const fraction = Number((match[2] ?? '0').slice(0, 3).padEnd(3, '0'));
  return { kind: 'time', atMs: Number(match[1]) * 1000 + fraction };
}

function reasonFor(text: string): string {
  if (/ ago$/i.test(text)) return 'the span before "ago" is none (5m, 2h, 1d)';
  if (/^restore[- ]point/i.test(text)) return 'a restore point has one name';
  if (/^before\b/i.test(text)) return '"before" wants a kind of mark and may have its name';
  if (/^\d{4}-\d{2}-\d{2}|\d:\d{2}/.test(text)) return 'there is no such date or time';
  return 'no form of a time or a name fits it';
}
