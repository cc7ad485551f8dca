import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cronFor, slotOf } from './cron.ts';

test.each([
  [1_000, '*/1 * * * * *'],
  [10_000, '*/10 * * * * *'],
  [90_000, '*/30 * * * * *'],
  [5 * 60_000, '0 */5 * * * *'],
  [7 * 60_000, '0 */1 * * * *'],
  [45 * 60_000, '0 */15 * * * *'],
  [3_600_000, '0 0 */1 * * *'],
  [36 * 3_600_000, '0 0 */12 * * *'],
  [86_400_000, '0 0 0 * * *'],
])('%i ms fires by %s', (everyMs, cron) => {
  expect(cronFor(everyMs)).toBe(cron);
});

test('every slot of a period is among the instants that its expression fires at', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200_000 }),
      fc.integer({ min: 0, max: 9_999 }),
      (s, n) => {
        const everyMs = s * 1000;
        const slot = new Date(n * everyMs);
        const [second, minute, hour] = cronFor(everyMs).split(' ') as [string, string, string];
        const fits = (field: string, value: number) =>
          field === '*' ||
          value % Number(field.replace('*/', '') || 0) === 0 ||
          Number(field) === value;
        expect(fits(second, slot.getUTCSeconds())).toBe(true);
        expect(fits(minute, slot.getUTCMinutes())).toBe(true);
        expect(fits(hour, slot.getUTCHours())).toBe(true);
        expect(slotOf(slot.getTime(), everyMs)).toBe(slot.getTime());
      },
    ),
  );
});
