import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { open, QUICK, quickGolden, restic } from '../restic.fixture.ts';
import { goTime, goTimeMs } from '../snapshots/go-time.ts';
import { decodeSnapshot, type Snapshot } from '../snapshots/snapshot-json.ts';
import { type ForgetGroup, forget } from './forget.ts';
import { type KeepSpan, parseKeepSpan } from './keep-span.ts';
import { applyPolicy, type Kept, type RetentionPolicy } from './policy.ts';

const nowMs = Date.UTC(2026, 5, 1);
const hour = 3_600_000;

const span = (text: string) => parseKeepSpan(text) as KeepSpan;

function snapshotAt(timeMs: number, tags: string[] = []): Snapshot {
  const id = hash('sha256', String(timeMs), 'hex');
  return decodeSnapshot(id, { time: goTime(timeMs), tree: id, paths: ['/a'], tags });
}

describe('a policy', () => {
  test('decides as restic does, but for the oldest snapshot that newer ones of restic keep too', async () => {
    const folder = await quickGolden('restic-0.14-max');
    const repository = await open(folder, QUICK);
    const [{ tree } = { tree: '' }, ...others] = await repository.snapshots.list();
    for (const { id } of others) await repository.snapshots.remove(id);
    // Gaps of many sizes: minutes, hours, days and months, so that every kind of period has crowds and holes.
    let timeMs = nowMs - 1_500 * 24 * hour;
    for (let i = 0; i < 60; i += 1) {
      const gapHours = [0.2, 3, 26, 180, 900, 2_200][(i * 7 + Math.floor(i / 5)) % 6] as number;
      timeMs += gapHours * hour;
      const tags = i % 9 === 0 ? ['keep', 'this'] : i % 4 === 0 ? ['keep'] : [];
      await repository.snapshots.save({ time: timeMs, tree, paths: ['/a'], hostname: 'h', tags });
    }
    const policies: [RetentionPolicy, string[]][] = [
      [
        { hourly: 9, daily: 4, weekly: 3 },
        ['--keep-hourly=9', '--keep-daily=4', '--keep-weekly=3'],
      ],
      [{ monthly: 7, yearly: 2 }, ['--keep-monthly=7', '--keep-yearly=2']],
      [{ weekly: 500, tags: [['keep', 'this']] }, ['--keep-weekly=500', '--keep-tag', 'keep,this']],
      [{ last: 1, within: span('60d') }, ['--keep-last=1', '--keep-within=60d']],
      [{ within: span('1y2m3d4h') }, ['--keep-within=1y2m3d4h']],
    ];
    for (const [policy, args] of policies) {
      const result = await forget(repository, policy, { dryRun: true, filter: { hosts: ['h'] } });
      const oracle = JSON.parse(
        await restic(folder, QUICK, ['forget', '--dry-run', '--json', '--host=h', ...args]),
      );
      const ids = (list: { id: string }[] | null) => (list ?? []).map(({ id }) => id).sort();
      const [{ keep, remove }] = result.groups as [ForgetGroup];
      const isOldest = ({ reasons }: Kept) =>
        reasons.every((reason) => reason.startsWith('oldest'));
      const same = keep.filter((kept) => !isOldest(kept)).map(({ snapshot }) => snapshot);
      const oldest = keep.filter(isOldest).map(({ snapshot }) => snapshot);
      expect(ids(same)).toEqual(ids(oracle[0].keep));
      expect(ids([...remove, ...oldest])).toEqual(ids(oracle[0].remove));
      expect(oldest.length).toBeLessThan(2);
    }
  });

  test('keeps the newest whatever it is, and never fewer for a larger number', () => {
    const times = fc.array(fc.integer({ min: 0, max: nowMs }), { minLength: 1, maxLength: 40 });
    const field = fc.constantFrom('last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly');
    fc.assert(
      fc.property(times, field, fc.integer({ min: 1, max: 20 }), (given, name, count) => {
        const snapshots = given.map((timeMs) => snapshotAt(timeMs));
        const fewer = applyPolicy(snapshots, { [name]: count }, nowMs);
        const more = applyPolicy(snapshots, { [name]: count + 1 }, nowMs);
        const newest = Math.max(...given);
        expect(fewer.keep.some(({ snapshot }) => snapshot.timeMs === newest)).toBe(true);
        expect(fewer.keep.length + fewer.remove.length).toBe(given.length);
        expect(more.keep.length).toBeGreaterThanOrEqual(fewer.keep.length);
      }),
    );
  });

  test('counts "within" from now where a snapshot is dated in the future', () => {
    const snapshots = [snapshotAt(nowMs + 1_000 * hour), snapshotAt(nowMs - hour)];
    const { keep } = applyPolicy(snapshots, { within: span('2h') }, nowMs);
    expect(keep).toHaveLength(2);
  });

  test('that keeps nothing is refused', () => {
    expect(() => applyPolicy([], {}, nowMs)).toThrow('keeps nothing');
    expect(() => applyPolicy([], { last: 0, tags: [] }, nowMs)).toThrow('keeps nothing');
  });
});

test('forget removes what its dry run named, by group, and spares what is protected', async () => {
  const folder = await quickGolden('restic-0.14-max');
  const repository = await open(folder, QUICK);
  const dry = await forget(repository, { last: 1 }, { dryRun: true });
  expect(dry).toMatchObject({ kept: 2, removed: 1, dryRun: true });
  expect(await repository.snapshots.ids()).toHaveLength(3);
  expect(dry.groups.flatMap(({ keep }) => keep.flatMap(({ reasons }) => reasons))).toEqual([
    'last snapshot',
    'last snapshot',
  ]);
  const protect = ({ timeMs }: Snapshot) =>
    timeMs < goTimeMs('2026-01-02T00:00:00Z') ? 'base of a recovery point' : undefined;
  expect(await forget(repository, { last: 1 }, { protect })).toMatchObject({ removed: 0 });
  expect(await forget(repository, { last: 1 })).toMatchObject({ removed: 1 });
  const left = await repository.snapshots.list();
  expect(left.map(({ hostname }) => hostname)).toEqual(['other', 'golden']);
  expect(await repository.locks.list()).toEqual({ locks: [], unreadable: [] });
});
