/**
 * When what was read last, so that a check that reads a part each time reads everything within a period, as files come
 * and go. Kept in `holdfast/checks/rotation`: a byte for the version, then for each unit 8 bytes of its key, the minute
 * since 1970 (uint32-LE), and 1 where it was read then, 0 where it was first seen.
 */
import { isHoldfastError, systemClock } from '#base';
import { errors } from '../errors.ts';
import type { Repository } from '../repository.ts';
import { storedPacks } from './packs.ts';
import { type ReadUnit, readableUnits } from './read-units.ts';

const NAME = 'checks/rotation';
const VERSION = 1;
const KEY_BYTES = 8;
const ENTRY_BYTES = KEY_BYTES + 4 + 1;
const MINUTE_MS = 60_000;

type Reading = { atMs: number; wasRead: boolean };

/** By the keys of units. */
export type Readings = Map<string, Reading>;

export type RotationPeriod = {
  /** Everything is to be read within this. */
  periodMs: number;
  /** How often a check runs. */
  everyMs: number;
};

export type NextRotation = {
  /** What to read now. */
  units: ReadUnit[];
  bytes: number;
  totalUnits: number;
  totalBytes: number;
  /** Units that no check has read yet. */
  neverRead: number;
  /** When the least recently read one was read, ms since 1970; undefined where none was. */
  oldestReadMs: number | undefined;
  /** Units that weren't read within the period. */
  overdue: number;
  /** Bytes that were. */
  freshBytes: number;
};

/** What the next check reads so that the period is kept; also for showing how reading stands. Changes nothing. */
export async function nextRotation(
  repository: Repository,
  period: RotationPeriod,
  nowMs = systemClock.nowMs(),
): Promise<NextRotation> {
  const units = await readableUnits(repository.storage, await storedPacks(repository.storage));
  return planRotation(units, await loadReadings(repository), period, nowMs);
}

/**
 * First what would be overdue before the next check, then as much as keeps an even pace. What is seen for the first time
 * may have been stored right after the check before: its time began then.
 */
export function planRotation(
  units: readonly ReadUnit[],
  readings: Readings,
  { periodMs, everyMs }: RotationPeriod,
  nowMs: number,
): NextRotation {
  const dueMs = ({ key }: ReadUnit) => {
    const reading = readings.get(key);
    const sinceMs = reading?.wasRead ? reading.atMs : (reading?.atMs ?? nowMs) - everyMs;
    return sinceMs + periodMs;
  };
  const byDue = units.map((unit) => ({ unit, dueMs: dueMs(unit) }));
  byDue.sort((a, b) => a.dueMs - b.dueMs);
  const totalBytes = units.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  // What was first seen is due one check earlier than what was read.
  const pace = totalBytes * Math.min(everyMs / Math.max(periodMs - everyMs, everyMs), 1);
  const chosen: ReadUnit[] = [];
  let bytes = 0;
  for (const { unit, dueMs: due } of byDue) {
    if (due > nowMs + everyMs && bytes >= pace) break;
    chosen.push(unit);
    bytes += unit.sizeBytes;
  }
  const read = units.flatMap(({ key }) => {
    const reading = readings.get(key);
    return reading?.wasRead ? [reading.atMs] : [];
  });
  return {
    units: chosen,
    bytes,
    totalUnits: units.length,
    totalBytes,
    neverRead: units.length - read.length,
    oldestReadMs: read.length > 0 ? read.reduce((a, b) => Math.min(a, b)) : undefined,
    overdue: byDue.filter(({ dueMs: due }) => due < nowMs).length,
    freshBytes: units.reduce((sum, { key, sizeBytes }) => {
      const reading = readings.get(key);
      const isFresh = reading?.wasRead === true && reading.atMs + periodMs >= nowMs;
      return isFresh ? sum + sizeBytes : sum;
    }, 0),
  };
}

/** Least recently read first; what never was comes before all. */
export function leastRecentlyRead(units: readonly ReadUnit[], readings: Readings): ReadUnit[] {
  const readMs = ({ key }: ReadUnit) => {
    const reading = readings.get(key);
    return reading?.wasRead ? reading.atMs : Number.NEGATIVE_INFINITY;
  };
  return [...units].sort((a, b) => {
    const [first, second] = [readMs(a), readMs(b)];
    return first === second ? 0 : first - second;
  });
}

/** Nothing known where the record is damaged: the rotation begins anew, and whoever reads own files names it. */
export async function loadReadings(repository: Repository): Promise<Readings> {
  try {
    const bytes = await repository.sealed.readIfThere(NAME);
    return bytes ? decodeReadings(bytes) : new Map();
  } catch (error) {
    if (isDamagedRecord(error)) return new Map();
    throw error;
  }
}

/** Notes what was read now, and what there is; forgets what is gone. */
export async function noteReadings(
  repository: Repository,
  units: readonly ReadUnit[],
  readKeys: ReadonlySet<string>,
  nowMs = systemClock.nowMs(),
): Promise<void> {
  const before = await loadReadings(repository);
  const after: Readings = new Map();
  for (const { key } of units) {
    const known = before.get(key) ?? { atMs: nowMs, wasRead: false };
    after.set(key, readKeys.has(key) ? { atMs: nowMs, wasRead: true } : known);
  }
  await repository.sealed.write(NAME, encodeReadings(after));
}

export function encodeReadings(readings: Readings): Buffer {
  const bytes = Buffer.alloc(1 + readings.size * ENTRY_BYTES);
  let at = bytes.writeUInt8(VERSION);
  for (const [key, { atMs, wasRead }] of readings) {
    at += bytes.write(key, at, KEY_BYTES, 'hex');
    at = bytes.writeUInt32LE(Math.floor(atMs / MINUTE_MS), at);
    at = bytes.writeUInt8(wasRead ? 1 : 0, at);
  }
  return bytes;
}

/** Throws `repository/file-damaged`. */
export function decodeReadings(bytes: Buffer): Readings {
  if (bytes[0] !== VERSION || (bytes.length - 1) % ENTRY_BYTES !== 0) {
    throw errors.fileDamaged([`holdfast/${NAME}`, 'it is no list of readings']);
  }
  const readings: Readings = new Map();
  for (let at = 1; at < bytes.length; at += ENTRY_BYTES) {
    const key = bytes.toString('hex', at, at + KEY_BYTES);
    const atMs = bytes.readUInt32LE(at + KEY_BYTES) * MINUTE_MS;
    readings.set(key, { atMs, wasRead: bytes[at + ENTRY_BYTES - 1] === 1 });
  }
  return readings;
}

function isDamagedRecord(error: unknown): boolean {
  return (
    isHoldfastError(error, 'repository/file-damaged') ||
    isHoldfastError(error, 'repository/sealed-misplaced')
  );
}
