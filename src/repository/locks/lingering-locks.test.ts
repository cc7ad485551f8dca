import { describe, expect, test, vi } from 'vitest';
import { newMasterKey } from '../crypto/master-key.ts';
import { Sealer } from '../crypto/sealer.ts';
import { MemoryStorage } from '../storage/memory.ts';
import { UnpackedFiles } from '../unpacked-files.ts';
import { LingeringLocks, type LingerTiming } from './lingering-locks.ts';
import { Locks } from './locks.ts';

const LONG: LingerTiming = { lingerMs: 600_000, maxAgeMs: 600_000 };

function made(timing: LingerTiming) {
  const files = new UnpackedFiles(new MemoryStorage(), new Sealer(newMasterKey()), 2);
  const quick = { settleMs: 1, refreshMs: 60_000, lostMs: 600_000 };
  const locks = new Locks(files, 'here', undefined, quick);
  const lingering = new LingeringLocks((options) => locks.take('shared', options), timing);
  const ids = async () => (await locks.list()).locks.map(({ id }) => id);
  return { locks, lingering, ids };
}

describe('a lock that lingers', () => {
  test('is shared by who comes later and at the same time, and is what others see', async () => {
    const { lingering, ids, locks } = made(LONG);
    const first = await lingering.share({});
    const second = await lingering.share({});
    const before = await ids();
    expect(before).toHaveLength(1);
    await first.release();
    await first.release();
    await second.release();
    const third = await lingering.share({});
    expect(await ids()).toEqual(before);
    expect(third.signal).toBe(first.signal);
    await expect(locks.take('exclusive')).rejects.toMatchObject({ code: 'repository/locked' });
    await third.release();
    await lingering.dropUnused();
    expect(await ids()).toEqual([]);
  });

  test('goes by itself when nobody came', async () => {
    const { lingering, ids } = made({ ...LONG, lingerMs: 1 });
    await (await lingering.share({})).release();
    await vi.waitFor(async () => expect(await ids()).toEqual([]), 10_000);
  });

  test('goes with its last user when it is old, so that others find a gap', async () => {
    const { lingering, ids } = made({ ...LONG, maxAgeMs: 0 });
    const lock = await lingering.share({});
    expect(await ids()).toHaveLength(1);
    await lock.release();
    expect(await ids()).toEqual([]);
  });

  test('makes way for work that needs the repository alone', async () => {
    const { lingering, ids, locks } = made(LONG);
    await (await lingering.share({})).release();
    expect(await ids()).toHaveLength(1);
    await lingering.quietly(async () => {
      await (await locks.take('exclusive')).release();
      const meanwhile = await lingering.share({});
      expect(await ids()).toHaveLength(1);
      await meanwhile.release();
      expect(await ids()).toEqual([]);
    });
  });
});
