import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LEAST_READ_BYTES_A_DAY, nextAllowedMs, type SpentProof, sampleBytesOf } from './budget.ts';

const budget = { cpuShare: 0.1, readShare: 0.02 };
const DAY_MS = 86_400_000;
const GIB = 2 ** 30;
const START_MS = 1_790_000_000_000;

const spent = (startedAtMs: number, cpuMs: number, readBytes = 0): SpentProof => ({
  ...{ startedAtMs, cpuMs, readBytes },
  endedAtMs: startedAtMs + cpuMs,
});
const allowance = { storeBytes: 100 * GIB, isDue: false, nowMs: START_MS };

test('the next proof waits until the last has used its share of a core, which many at once add up', () => {
  expect(nextAllowedMs([], budget, allowance)).toBe(0);
  const one = spent(START_MS, 3_000);
  expect(nextAllowedMs([one], budget, allowance)).toBe(START_MS + 30_000);
  const asked = spent(START_MS + 1_000, 2_000);
  expect(nextAllowedMs([asked, one], budget, allowance)).toBe(START_MS + 50_000);
  expect(nextAllowedMs([one], budget, { ...allowance, isDue: true })).toBe(START_MS + 30_000);
});

test('what is read within a day stays below its share, but for proofs that are due', () => {
  const share = 2 * GIB;
  const proofs = [0, 1, 2].map((hour) => spent(START_MS + hour * 3_600_000, 100, 0.6 * share));
  const nowMs = START_MS + 4 * 3_600_000;
  const asked = { storeBytes: 100 * GIB, isDue: false, nowMs };
  // The first two must have left the last day: then two of 0.6 would be 1.2 still.
  expect(nextAllowedMs(proofs, budget, asked)).toBe(START_MS + 2 * 3_600_000 + DAY_MS);
  expect(nextAllowedMs(proofs, budget, { ...asked, isDue: true })).toBeLessThan(nowMs);
  expect(
    nextAllowedMs(proofs.slice(0, 1), budget, { ...asked, storeBytes: 200 * GIB }),
  ).toBeLessThan(nowMs);
});

test('a store that is small may be read more of', () => {
  const tiny = { ...allowance, storeBytes: 1000, nowMs: START_MS + 3_600_000 };
  const half = LEAST_READ_BYTES_A_DAY / 2;
  expect(nextAllowedMs([spent(START_MS, 10, half)], budget, tiny)).toBeLessThan(tiny.nowMs);
  expect(nextAllowedMs([spent(START_MS, 10, half + 1)], budget, tiny)).toBe(START_MS + DAY_MS);
});

test('whatever proofs cost, obeying it keeps both shares over any span', () => {
  const costs = fc.array(
    fc.record({
      cpuMs: fc.integer({ min: 0, max: 60_000 }),
      readBytes: fc.integer({ min: 0, max: GIB }),
    }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(costs, (given) => {
      const made: SpentProof[] = [];
      let nowMs = START_MS;
      for (const { cpuMs, readBytes } of given) {
        nowMs = Math.max(nowMs, nextAllowedMs(made, budget, { ...allowance, nowMs }));
        made.push(spent(nowMs, cpuMs, readBytes));
      }
      const [first] = made;
      const endMs = nextAllowedMs(made, budget, { ...allowance, isDue: true });
      const used = made.reduce((sum, { cpuMs }) => sum + cpuMs, 0);
      if (first) expect(used).toBeLessThanOrEqual((endMs - first.startedAtMs) * 0.1 + 1);
      for (const { startedAtMs } of made) {
        const day = made.filter(
          (one) => one.startedAtMs > startedAtMs - DAY_MS && one.startedAtMs <= startedAtMs,
        );
        // Nobody knows what a proof will read before it has: the last one may be larger than any before.
        const before = day.slice(0, -1).reduce((sum, one) => sum + one.readBytes, 0);
        expect(before).toBeLessThanOrEqual(2 * GIB);
      }
    }),
  );
});

test('a sample takes a tenth of what a day allows, within bounds', () => {
  expect(sampleBytesOf(10 * GIB, budget)).toBe(Math.round(10 * GIB * 0.002));
  expect(sampleBytesOf(0, budget)).toBe(2 * 2 ** 20);
  expect(sampleBytesOf(1e15, budget)).toBe(64 * 2 ** 20);
});
