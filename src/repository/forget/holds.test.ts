import { describe, expect, test } from 'vitest';
import { systemClock, timedId } from '#base';
import { writeCapture } from '../records/captures.ts';
import { writePoint } from '../records/points.ts';
import type { CaptureKind, CaptureRecord } from '../records/records.ts';
import type { Repository } from '../repository.ts';
import { open, QUICK, quickGolden, restic } from '../restic.fixture.ts';
import type { Snapshot } from '../snapshots/snapshot-json.ts';
import { brokenSets } from './closed-sets.ts';
import { forget } from './forget.ts';
import { holdSnapshot, readHolds, releaseSnapshot } from './holds.ts';

const HOUR_MS = 3_600_000;
const ALL = { hosts: ['h'] };

/** Snapshots of one host and path, one a day, the newest first. */
async function withDays(days: number): Promise<{
  folder: string;
  repository: Repository;
  snapshots: Snapshot[];
}> {
  const folder = await quickGolden('restic-0.14-max');
  const repository = await open(folder, QUICK);
  const [{ tree } = { tree: '' }] = await repository.snapshots.list();
  const snapshots: Snapshot[] = [];
  for (let day = 1; day <= days; day += 1) {
    const time = systemClock.nowMs() - day * 24 * HOUR_MS;
    snapshots.push(await repository.snapshots.save({ time, tree, paths: ['/a'], hostname: 'h' }));
  }
  return { folder, repository, snapshots };
}

const idsOf = (snapshots: readonly Snapshot[]) => snapshots.map(({ id }) => id).sort();

function captureOf(snapshot: string, kind: CaptureKind, atMs: number): CaptureRecord {
  const position = (offset: bigint) => ({ line: 1, offset });
  return {
    id: timedId(atMs),
    address: { environment: 'shop', stage: 'production', store: 'orders' },
    source: 'postgres',
    kind,
    snapshot,
    startedAtMs: atMs,
    endedAtMs: atMs,
    start: position(16n),
    end: position(32n),
    clock: { offsetMs: 0, uncertaintyMs: 0 },
    chunkSizeBytes: 0,
    facts: {},
    statistics: { files: 0, directories: 0, bytes: 0, newBytes: 0, storedBytes: 0 },
    problems: [],
    problemCount: 0,
  };
}

describe('a hold', () => {
  test('keeps a snapshot until it is lifted, and remembers who, when and why', async () => {
    const { repository, snapshots } = await withDays(3);
    const oldest = snapshots[2]?.id ?? '';
    const hold = await holdSnapshot(repository, oldest.slice(0, 10), ' case 4711 ');
    expect(hold).toMatchObject({ snapshot: oldest, held: true });
    const { groups, removed } = await forget(repository, { last: 1 }, { filter: ALL });
    expect(removed).toBe(1);
    expect(groups[0]?.keep.at(-1)?.reasons.join()).toContain('case 4711');
    const released = await releaseSnapshot(repository, oldest, 'settled');
    expect(released.history.map(({ did, because }) => [did, because])).toEqual([
      ['held', 'case 4711'],
      ['released', 'settled'],
    ]);
    expect(await readHolds(repository)).toEqual(new Map());
    expect(await forget(repository, { last: 1 }, { filter: ALL })).toMatchObject({ removed: 1 });
  });

  test('wants a reason and a snapshot, and only what is held is released', async () => {
    const { repository, snapshots } = await withDays(1);
    const [{ id } = { id: '' }] = snapshots;
    const code = (name: string) => ({ code: `repository/${name}` });
    await expect(holdSnapshot(repository, id, ' ')).rejects.toMatchObject(code('reason-missing'));
    await expect(holdSnapshot(repository, 'ffffff', 'x')).rejects.toMatchObject(
      code('snapshot-not-found'),
    );
    await expect(releaseSnapshot(repository, id, 'x')).rejects.toMatchObject(code('not-held'));
  });

  test("that can't be read keeps everything", async () => {
    const { repository, snapshots } = await withDays(2);
    await repository.sealed.write(`holds/${snapshots[1]?.id}`, Buffer.from('{"history":[]}'));
    await expect(forget(repository, { last: 1 })).rejects.toMatchObject({
      code: 'repository/record-invalid',
    });
    expect(idsOf(await repository.snapshots.list(ALL))).toEqual(idsOf(snapshots));
  });
});

describe('forgetting by a clock', () => {
  test('keeps what is dated in the future, and lets it take no place of another', async () => {
    const { repository, snapshots } = await withDays(2);
    const [{ tree } = { tree: '' }] = snapshots;
    for (let day = 1; day <= 3; day += 1) {
      const time = systemClock.nowMs() + day * 24 * HOUR_MS;
      await repository.snapshots.save({ time, tree, paths: ['/a'], hostname: 'h' });
    }
    const result = await forget(repository, { last: 1, daily: 1 }, { filter: ALL });
    expect(result).toMatchObject({ future: 3, kept: 4, removed: 1 });
    const [, kept] = [...(result.groups[0]?.keep ?? [])].reverse();
    expect(kept?.reasons).toEqual(['dated in the future']);
    expect(idsOf(await repository.snapshots.list(ALL))).toContain(snapshots[0]?.id);
  });

  test('is refused where ours differs from the storage or lies before the newest capture', async () => {
    const { repository, snapshots } = await withDays(2);
    const nowMs = systemClock.nowMs() + 2 * HOUR_MS;
    const refused = { code: 'repository/clock-disagrees' };
    await expect(forget(repository, { last: 1 }, { nowMs })).rejects.toMatchObject(refused);
    const [{ id } = { id: '' }] = snapshots;
    await writeCapture(repository, captureOf(id, 'files', nowMs));
    const message = /the newest capture in it says/;
    await expect(forget(repository, { last: 1 })).rejects.toThrow(message);
    await forget(repository, { last: 1 }, { trustClock: true, filter: ALL });
    expect(await repository.snapshots.list(ALL)).toHaveLength(1);
  });
});

describe('sets of captures', () => {
  test('stay whole, and what a user tears apart with restic is told', async () => {
    const { folder, repository, snapshots } = await withDays(4);
    const [, batch, base, files] = snapshots.map(({ id }) => id) as [
      string,
      string,
      string,
      string,
    ];
    const nowMs = systemClock.nowMs();
    const records = [
      captureOf(base, 'base', nowMs - 3 * HOUR_MS),
      captureOf(batch, 'journal-batch', nowMs - 2 * HOUR_MS),
      captureOf(files, 'files', nowMs - HOUR_MS),
    ];
    for (const record of records) await writeCapture(repository, record);
    await writePoint(repository, {
      id: timedId(nowMs),
      environment: 'shop',
      stage: 'production',
      atMs: nowMs,
      stores: { orders: { capture: records[0]?.id ?? '' } },
      services: {},
    });
    const result = await forget(repository, { last: 1 }, { filter: ALL });
    expect(result.removed).toBe(0);
    expect(result.groups[0]?.keep.map(({ reasons }) => reasons.at(-1))).toEqual([
      'last snapshot',
      'part of the journal of orders',
      'base of orders: its journal and recovery points begin from it',
      'capture of orders: recovery points need it',
    ]);
    expect(await brokenSets(repository)).toEqual([]);

    await holdSnapshot(repository, files, 'case 4711');
    await restic(folder, QUICK, ['forget', base, batch, files]);
    const broken = await brokenSets(repository);
    expect(broken.map(({ snapshot }) => snapshot).sort()).toEqual(
      [base, batch, files, files].sort(),
    );
    const told = broken.map(({ what }) => what).join('\n');
    expect(told).toContain('needed by 1 recovery point');
    expect(told).toContain('the journal of shop/orders has lost line 1 from 16 to 32');
    expect(told).toContain('was held, and is gone');
  });
});
