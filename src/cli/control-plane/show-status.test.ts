import fc from 'fast-check';
import { expect, test } from 'vitest';
import { displayWidth } from '../frame/table.ts';
import type { Schemas } from './client.ts';
import { isBad, statusLines } from './show-status.ts';

const NOW_MS = new Date(2026, 10, 21, 12, 0, 0).getTime();
const HOUR_MS = 3_600_000;

const status = (stores: Schemas['StoreStatus'][], more: Partial<Schemas['Status']> = {}) => ({
  environment: 'shop',
  stage: 'production',
  atMs: NOW_MS,
  repository: '/backup/shop',
  stores,
  missed: stores.filter(({ verdict }) => verdict === 'missed').length,
  unknown: stores.filter(({ verdict }) => verdict === 'unknown').length,
  points: 3,
  ...more,
});

const orders: Schemas['StoreStatus'] = {
  name: 'orders',
  source: 'postgres',
  protect: 'continuous',
  verdict: 'met',
  rpoMs: 5000,
  lagMs: 800,
  windows: [{ fromMs: NOW_MS - 2 * HOUR_MS, toMs: NOW_MS }],
  gaps: [],
  captures: 1,
  lastCapture: { id: 'c', kind: 'base', atMs: NOW_MS - 2 * HOUR_MS, problems: 0 },
  sizeBytes: 412 * 2 ** 30,
  storedBytes: 96 * 2 ** 30,
  journal: {
    state: 'streaming',
    synced: { line: 1, offset: String((1n << 32n) + 255n) },
    shipped: { line: 1, offset: '16' },
    spoolBytes: 0,
  },
};

const billing: Schemas['StoreStatus'] = {
  name: 'billing',
  source: 'files',
  protect: 'every 5m',
  verdict: 'missed',
  says: '31m would be lost, objective 5.0s: permission denied',
  rpoMs: 5000,
  lagMs: 31 * 60_000,
  windows: [],
  gaps: [],
  captures: 12,
  recoverableSinceMs: NOW_MS - 30 * 24 * HOUR_MS,
  lastCapture: { id: 'd', kind: 'files', atMs: NOW_MS - 31 * 60_000, problems: 0 },
  sizeBytes: 31,
  storedBytes: 8,
};

test('windows, lag, captures, sizes, both positions, and what is missed in plain words', () => {
  expect(statusLines(status([orders, billing]), 80)).toEqual([
    'shop/production · orders: any second since 10:00',
    '',
    '  STORE    RECOVERABLE                     LAG   CAPTURED  SIZE     STORED',
    '✓ orders   any second since 10:00          0.8s  10:00     412 GiB  96 GiB',
    '! billing  12 captures since 22 Oct 12:00  31m   11:29     31 B     8 B',
    '',
    'orders   journal streaming, received 1/FF, in the repository 0/10',
    'billing  31m would be lost, objective 5.0s: permission denied',
    '',
    '1 objective missed. Look again: holdfast status',
  ]);
});

test('all windows, with what lies between them, and where the newest ends when nothing comes any more', () => {
  const at = (hours: number) => NOW_MS - hours * HOUR_MS;
  const broken = {
    ...orders,
    lagMs: 30 * 60_000,
    windows: [
      { fromMs: at(30), toMs: at(20) },
      { fromMs: at(5), toMs: at(0.5) },
    ],
    gaps: [{ fromMs: at(20), toMs: at(5), because: 'the slot was dropped at its limit' }],
  };
  const lines = statusLines(status([broken]), 80);
  expect(lines[0]).toBe('shop/production · orders: any second 07:00 to 11:30');
  expect(lines).toContain('orders   any second 20 Nov 06:00 to 20 Nov 16:00');
  expect(lines).toContain('         gap 20 Nov 16:00 to 07:00: the slot was dropped at its limit');
  expect(lines).toContain('         any second 07:00 to 11:30');
});

test('what a person must know of the repository is loud, and nothing is well then', () => {
  const check = {
    verdict: 'pass' as const,
    atMs: NOW_MS - HOUR_MS,
    totalBytes: 12 * 2 ** 30,
    freshBytes: 6.1 * 2 ** 30,
    periodMs: 30 * 24 * HOUR_MS,
  };
  const calm = status([orders], { maintenance: { check, prune: {}, retention: {}, findings: [] } });
  expect(statusLines(calm, 80)).toContain(
    'repository  checked 11:00, whole; 51% of 12 GiB read within 30d',
  );
  expect(isBad(calm)).toBe(false);
  const findings = ['the repository is damaged: 1 problem', 'pack ab12 is damaged'];
  const maintenance = {
    check: { ...check, verdict: 'fail' as const },
    prune: {},
    retention: {},
    findings,
  };
  const loud = status([orders], { maintenance });
  const lines = statusLines(loud, 80);
  expect(lines).toContain('repository  ! the repository is damaged: 1 problem');
  expect(lines).toContain('            ! pack ab12 is damaged');
  expect(lines.at(-1)).toBe('the repository needs you. Look again: holdfast status');
  expect(isBad(loud)).toBe(true);
});

test('the last proof is said, and loud where it failed', () => {
  const proofs = {
    ...{ verdict: 'pass' as const, periodMs: 24 * HOUR_MS, findings: [] },
    ...{ provenAtMs: NOW_MS - HOUR_MS, provenInstantMs: NOW_MS - 2 * HOUR_MS },
  };
  const calm = status([orders], { proofs: { ...proofs, waitsFor: 'an idle host' } });
  expect(statusLines(calm, 80)).toContain(
    'proofs      proven 11:00, as of 10:00 (objective 1d); waits for an idle host',
  );
  expect(isBad(calm)).toBe(false);
  const findings = ['the proof of 10:00 failed: orphans: 2 rows'];
  const loud = status([orders], { proofs: { ...proofs, verdict: 'fail', findings } });
  expect(statusLines(loud, 80)).toContain(
    'proofs      ! the proof of 10:00 failed: orphans: 2 rows',
  );
  expect(statusLines(loud, 80).at(-1)).toBe('not proven. Look again: holdfast status');
  expect(isBad(loud)).toBe(true);
});

test('an environment in trouble says what, and what to do', () => {
  expect(statusLines(status([], { trouble: 'wrong password for /backup/shop' }), 80)).toEqual([
    "✗ shop/production isn't protected",
    '  wrong password for /backup/shop',
    '',
    'Mend what it says, then: holdfast apply',
  ]);
});

test('no line is wider than 80 columns, whatever stores are called and say', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100 }).map((length) => 'a'.repeat(length)),
      fc.lorem({ maxCount: 40 }),
      fc.integer({ min: 0, max: 2 ** 53 - 1 }),
      (name, says, number) => {
        const store = {
          ...billing,
          name,
          says,
          lagMs: number,
          sizeBytes: number,
          captures: number,
        };
        for (const line of statusLines(status([store, orders]), 80)) {
          expect(displayWidth(line)).toBeLessThanOrEqual(80);
        }
      },
    ),
  );
});
