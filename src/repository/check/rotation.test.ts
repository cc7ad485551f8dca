import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Secret } from '#base';
import { createRepository } from '../open.ts';
import { FAST_SCRYPT } from '../restic.fixture.ts';
import { saveFiles } from '../saved-files.fixture.ts';
import { MemoryStorage } from '../storage/memory.ts';
import { checkRepository } from './check.ts';
import type { ReadUnit } from './read-units.ts';
import {
  decodeReadings,
  encodeReadings,
  nextRotation,
  planRotation,
  type Readings,
} from './rotation.ts';
import { parseSelection, select } from './selection.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function unitOf(number: number, sizeBytes: number): ReadUnit {
  return { name: `data/${number}`, sizeBytes, key: number.toString(16).padStart(16, '0') };
}

test('everything is read within the period, as packs come and go', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          stored: fc.nat(40),
          lives: fc.integer({ min: 1, max: 60 }),
          size: fc.nat(100),
        }),
        {
          minLength: 1,
          maxLength: 80,
        },
      ),
      fc.integer({ min: 3, max: 20 }),
      (packs, periodRuns) => {
        const period = { everyMs: DAY_MS, periodMs: periodRuns * DAY_MS };
        const units = packs.map(({ size }, number) => unitOf(number, size));
        let readings: Readings = new Map();
        const lastReadDay = new Map<string, number>();
        for (let day = 0; day < 100; day += 1) {
          const there = units.filter((_, number) => {
            const { stored, lives } = packs[number] as { stored: number; lives: number };
            return stored <= day && day < stored + lives;
          });
          const { units: chosen } = planRotation(there, readings, period, day * DAY_MS);
          for (const { key } of chosen) lastReadDay.set(key, day);
          const now: Readings = new Map();
          for (const { key } of there) {
            const known = readings.get(key) ?? { atMs: day * DAY_MS, wasRead: false };
            const wasRead = chosen.some((unit) => unit.key === key);
            now.set(key, wasRead ? { atMs: day * DAY_MS, wasRead } : known);
          }
          readings = decodeReadings(encodeReadings(now));
          for (const [number, unit] of units.entries()) {
            const { stored } = packs[number] as { stored: number };
            if (!there.includes(unit)) continue;
            expect(day - (lastReadDay.get(unit.key) ?? stored)).toBeLessThanOrEqual(periodRuns);
          }
        }
      },
    ),
    { numRuns: 40 },
  );
});

test('an even pace: no run reads much more than its share', () => {
  const units = Array.from({ length: 300 }, (_, number) => unitOf(number, 10));
  let readings: Readings = new Map();
  const amounts: number[] = [];
  for (let day = 0; day < 60; day += 1) {
    const plan = planRotation(
      units,
      readings,
      { everyMs: DAY_MS, periodMs: 30 * DAY_MS },
      day * DAY_MS,
    );
    amounts.push(plan.bytes);
    const chosen = new Set(plan.units.map(({ key }) => key));
    readings = new Map(
      units.map(({ key }) => [
        key,
        chosen.has(key)
          ? { atMs: day * DAY_MS, wasRead: true }
          : (readings.get(key) ?? { atMs: day * DAY_MS, wasRead: false }),
      ]),
    );
  }
  expect(Math.max(...amounts)).toBeLessThanOrEqual(110);
});

test('parts as restic names them', () => {
  expect(parseSelection('1%')).toEqual({ kind: 'share', share: 0.01 });
  expect(parseSelection('2/7')).toEqual({ kind: 'part', part: 2, of: 7 });
  expect(parseSelection('500M')).toEqual({ kind: 'bytes', bytes: 500 * 2 ** 20 });
  expect(parseSelection('1.5GiB')).toEqual({ kind: 'bytes', bytes: 1.5 * 2 ** 30 });
  for (const wrong of ['', '0%', '101%', '0/3', '4/3', '1/257', 'all', '-5M', '1/0']) {
    expect(() => parseSelection(wrong)).toThrow('is no part of a repository');
  }
  const units = Array.from({ length: 512 }, (_, n) => ({
    ...unitOf(n, 1),
    key: n.toString(16).padStart(3, '0').padEnd(16, '0'),
  }));
  const parts = [1, 2, 3].flatMap((part) =>
    select({ kind: 'part', part, of: 3 }, units, new Map(), 0),
  );
  expect(new Set(parts).size).toBe(512);
  expect(select({ kind: 'share', share: 0.1 }, units, new Map(), 0)).toHaveLength(52);
  expect(select({ kind: 'bytes', bytes: 1 }, units, new Map(), 0)).toHaveLength(1);
});

test('a repository is read part by part, and says how far that is', async () => {
  const storage = new MemoryStorage();
  const password = new Secret('p');
  const repository = await createRepository({ storage, password, scrypt: FAST_SCRYPT });
  const files = new Map(Array.from({ length: 3 }, (_, n) => [`f${n}`, Buffer.alloc(90_000, n)]));
  for (const file of files) await saveFiles(repository, new Map([file]), 4_096);
  const period = { everyMs: HOUR_MS, periodMs: 4 * HOUR_MS };
  const first = await nextRotation(repository, period);
  expect(first.neverRead).toBe(first.totalUnits);
  expect(first.units.length).toBeLessThan(first.totalUnits);
  let readBytes = 0;
  for (let run = 0; run < 4; run += 1) {
    const report = await checkRepository(repository, { read: { kind: 'rotation', ...period } });
    expect(report.verdict).toBe('pass');
    readBytes += report.checked.readBytes;
  }
  const last = await nextRotation(repository, period);
  expect(last.overdue).toBe(0);
  expect(last.oldestReadMs).toBeGreaterThan(0);
  expect(readBytes).toBeGreaterThanOrEqual(first.totalBytes);
  await checkRepository(repository, { read: { kind: 'share', share: 1 } });
  expect((await nextRotation(repository, period)).neverRead).toBe(0);
  await repository.close();
});
