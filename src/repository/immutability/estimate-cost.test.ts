import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULT_PRICES, estimateCost, type StoreActivity } from './estimate-cost.ts';

const GIB = 2 ** 30;

const db: StoreActivity = {
  store: 'shop/production/db',
  storedBytes: 100 * GIB,
  newBytesPerDay: GIB,
  capturesPerDay: 24,
  journalPiecesPerDay: 86_400,
  journalBatchesPerDay: 24,
};

const prices = {
  source: 'a test',
  currency: 'EUR',
  perGibMonth: { standard: 1, data: 0.5 },
  perThousandWrites: { standard: 1_000, data: 2_000 },
  perThousandReads: 10,
};

describe('the cost of a store', () => {
  test('is that of its bytes, where it does nothing', () => {
    const idle = {
      ...db,
      newBytesPerDay: 0,
      capturesPerDay: 0,
      journalPiecesPerDay: 0,
      journalBatchesPerDay: 0,
    };
    const { stores, currency } = estimateCost([idle], { prices });
    expect(currency).toBe('EUR');
    // Beside them a watermark an hour: 720 a month.
    expect(stores[0]).toMatchObject({ writesPerMonth: 720, readsPerMonth: 0, keptByLocksBytes: 0 });
    expect(stores[0]?.costPerMonth).toBeCloseTo(50 + 720);
  });

  test('counts packs as data, pieces one by one, and what locks keep', () => {
    const open = estimateCost([db], { prices }).stores[0];
    const locked = estimateCost([db], { prices, lockDays: 30 }).stores[0];
    // 86,400 pieces a day are most of it.
    expect(open?.writesPerMonth).toBeGreaterThan(30 * 86_400);
    expect(open?.writesPerMonth).toBeLessThan(31 * 86_400);
    expect(locked?.keptByLocksBytes).toBe(30 * GIB);
    expect(locked?.costPerMonth).toBeGreaterThan((open?.costPerMonth ?? 0) + 15);
  });

  test('says by whose prices, and grows with whatever grows', () => {
    const estimate = estimateCost([db, { ...db, store: 'other' }], { lockDays: 30 });
    expect(estimate.assumptions.join()).toContain(DEFAULT_PRICES.source);
    expect(estimate.costPerMonth).toBeCloseTo(
      estimate.stores.reduce((sum, { costPerMonth }) => sum + costPerMonth, 0),
    );
    const amounts = fc.record({
      storedBytes: fc.nat(),
      newBytesPerDay: fc.nat(),
      capturesPerDay: fc.nat(1_000),
      journalPiecesPerDay: fc.nat(),
      journalBatchesPerDay: fc.nat(1_000),
    });
    const costOf = (activity: Omit<StoreActivity, 'store'>, lockDays: number) =>
      estimateCost([{ store: 's', ...activity }], { prices, lockDays }).costPerMonth;
    fc.assert(
      fc.property(amounts, fc.constantFrom(0, 1, 30), (activity, lockDays) => {
        const twice = Object.fromEntries(
          Object.entries(activity).map(([name, value]) => [name, value * 2]),
        ) as typeof activity;
        return costOf(twice, lockDays) >= costOf(activity, lockDays);
      }),
    );
  });
});
