import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expiredCaptures } from './retention-policy.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW_MS = 1_800_000_000_000;
const aged = (...agesMs: number[]) =>
  agesMs.map((ageMs, at) => ({ id: `c${at}`, atMs: NOW_MS - ageMs }));
const expired = (captures: ReturnType<typeof aged>, keepMs: number, thin: boolean) =>
  expiredCaptures(captures, { nowMs: NOW_MS, keepMs, thin }).map(({ id }) => id);

test('what begins the window stays, what is older goes', () => {
  const bases = aged(HOUR_MS, DAY_MS, 3 * DAY_MS, 4 * DAY_MS, 9 * DAY_MS);
  expect(expired(bases, 2 * DAY_MS, false)).toEqual(['c3', 'c4']);
});

test('the last capture there is stays, however old', () => {
  expect(expired(aged(100 * DAY_MS), DAY_MS, false)).toEqual([]);
  expect(expired(aged(100 * DAY_MS), DAY_MS, true)).toEqual([]);
});

test('a watched folder keeps a day of all, a week of hours, then days', () => {
  const everyTenMinutes = aged(...Array.from({ length: 30 * 144 }, (_, at) => at * 600_000));
  const gone = new Set(expired(everyTenMinutes, 60 * DAY_MS, true));
  const left = everyTenMinutes.filter(({ id }) => !gone.has(id)).map(({ atMs }) => NOW_MS - atMs);
  expect(left.filter((ageMs) => ageMs <= DAY_MS)).toHaveLength(145);
  const hourly = left.filter((ageMs) => ageMs > DAY_MS && ageMs <= 7 * DAY_MS).length;
  expect(hourly).toBeGreaterThanOrEqual(143);
  expect(hourly).toBeLessThanOrEqual(146);
  const daily = left.filter((ageMs) => ageMs > 7 * DAY_MS).length;
  expect(daily).toBeGreaterThanOrEqual(22);
  expect(daily).toBeLessThanOrEqual(25);
});

test('whatever is asked, every kept instant still has a capture at or before it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 60 * DAY_MS }), { minLength: 1, maxLength: 200 }),
      fc.integer({ min: HOUR_MS, max: 40 * DAY_MS }),
      fc.boolean(),
      (agesMs, keepMs, thin) => {
        const captures = aged(...agesMs);
        const gone = new Set(expired(captures, keepMs, thin));
        const left = captures.filter(({ id }) => !gone.has(id));
        const newest = Math.max(...captures.map(({ atMs }) => atMs));
        expect(left.some(({ atMs }) => atMs === newest)).toBe(true);
        const cutMs = NOW_MS - keepMs;
        const hadOneBefore = captures.some(({ atMs }) => atMs <= cutMs);
        expect(left.some(({ atMs }) => atMs <= cutMs)).toBe(hadOneBefore);
      },
    ),
  );
});

test('judging again removes nothing more', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 60 * DAY_MS }), { minLength: 1, maxLength: 200 }),
      (agesMs) => {
        const captures = aged(...agesMs);
        const gone = new Set(expired(captures, 30 * DAY_MS, true));
        const left = captures.filter(({ id }) => !gone.has(id));
        expect(expired(left, 30 * DAY_MS, true)).toEqual([]);
      },
    ),
  );
});
