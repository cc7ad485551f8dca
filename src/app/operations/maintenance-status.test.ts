import { expect, test } from 'vitest';
import type { MaintenanceRow } from '#catalog';
import { maintenanceOf } from './maintenance-status.ts';

const DAY_MS = 86_400_000;
const judging = { checkEveryMs: DAY_MS, pruneEveryMs: DAY_MS, nowMs: 100 * DAY_MS };
const row = (task: string, more: Partial<MaintenanceRow>): MaintenanceRow => ({
  ...{ task, doneAtMs: undefined, record: undefined, failingSinceMs: undefined },
  failure: undefined,
  ...more,
});
const report = {
  verdict: 'pass',
  ...{ problems: [], problemCount: 0, mended: [], mendedCount: 0, affected: [], affectedCount: 0 },
  ...{ tookMs: 1, readBytes: 10, broken: [] },
  rotation: { periodMs: 30 * DAY_MS, totalBytes: 100, freshBytes: 40, overdue: 0 },
};

test('nothing is known before the first check, and nobody is alarmed', () => {
  const { check, findings } = maintenanceOf({}, judging);
  expect(check).toEqual({ verdict: 'unknown' });
  expect(findings).toEqual([]);
});

test('damage and what was not read in time are findings', () => {
  const problems = [{ kind: 'pack-damaged', id: 'ab', what: 'pack ab is damaged' }];
  const damaged = { ...report, verdict: 'fail', problems, problemCount: 1, affectedCount: 2 };
  const rotation = { ...report.rotation, overdue: 3 };
  const broken = ['orders: nothing before 10:00 can be recovered'];
  const locks = { extended: 0, lapsed: 0, changed: 2 };
  const record = { ...damaged, rotation, broken, locks };
  const check = row('check', { doneAtMs: 5, record });
  expect(maintenanceOf({ check }, judging).findings).toEqual([
    "the repository is damaged: 1 problem, 2 files can't come back",
    'pack ab is damaged',
    'orders: nothing before 10:00 can be recovered',
    '2 locked files hidden or overwritten: holdfast repo recover-versions brings them back',
    "3 stored files weren't read within 30d",
  ]);
});

test('a run that fails is said at once, and is a finding after a week', () => {
  const failure = { message: 'locked by PID 7 of root on build-3' };
  const failingFor = (days: number) =>
    row('prune', { failingSinceMs: judging.nowMs - days * DAY_MS, failure });
  const early = maintenanceOf({ prune: failingFor(6) }, judging);
  expect(early.prune.failing?.what).toBe(failure.message);
  expect(early.findings).toEqual([]);
  expect(maintenanceOf({ prune: failingFor(8) }, judging).findings).toEqual([
    'no prune of the repository for 8d: locked by PID 7 of root on build-3',
  ]);
  // Of a task that runs once in ten days two runs must have failed.
  const rare = { ...judging, pruneEveryMs: 10 * DAY_MS };
  expect(maintenanceOf({ prune: failingFor(8) }, rare).findings).toEqual([]);
});
