import { spawnSync } from 'node:child_process';
import os from 'node:os';
import { describe, expect, test, vi } from 'vitest';
import { newMasterKey } from '../crypto/master-key.ts';
import { Sealer } from '../crypto/sealer.ts';
import { errors } from '../errors.ts';
import { newFolder, open, QUICK, quickGolden, restic } from '../restic.fixture.ts';
import { goTime } from '../snapshots/go-time.ts';
import { FaultyStorage } from '../storage/faulty.ts';
import { LocalStorage } from '../storage/local/local-storage.ts';
import { MemoryStorage } from '../storage/memory.ts';
import { UnpackedFiles } from '../unpacked-files.ts';
import { Locks, type LockTiming } from './locks.ts';

const quick: LockTiming = { settleMs: 1, refreshMs: 60_000, lostMs: 600_000 };

function madeLocks(timing: LockTiming = quick) {
  const storage = new FaultyStorage(new MemoryStorage());
  const files = new UnpackedFiles(storage, new Sealer(newMasterKey()), 2);
  return { storage, files, locks: new Locks(files, 'here', undefined, timing) };
}

function foreignLock(change: Record<string, unknown>): string {
  return JSON.stringify({
    time: goTime(Date.now()),
    exclusive: false,
    hostname: 'elsewhere',
    username: 'someone',
    pid: 4711,
    ...change,
  });
}

function pidOfTheDead(): number {
  return spawnSync('true').pid;
}

describe('locks', () => {
  test('are shared by many and exclusive to one', async () => {
    const { locks } = madeLocks();
    const first = await locks.take('shared');
    const second = await locks.take('shared');
    await expect(locks.take('exclusive')).rejects.toMatchObject({
      code: 'repository/locked',
      message: expect.stringMatching(
        new RegExp(`^here is locked by PID ${process.pid} of .+ on ${os.hostname()} since 2`),
      ),
    });
    await first.release();
    await first.release();
    await second.release();
    const alone = await locks.take('exclusive');
    await expect(locks.take('shared')).rejects.toMatchObject({
      code: 'repository/locked',
      message: expect.stringContaining('locked exclusively'),
    });
    await alone.release();
    expect(await locks.list()).toEqual({ locks: [], unreadable: [] });
  });

  test('that vanish while they are looked at hinder nobody', async () => {
    const { storage, files, locks } = madeLocks();
    const id = await files.save('locks', foreignLock({ exclusive: true }));
    const read = storage.read.bind(storage);
    const reading = vi.spyOn(storage, 'read').mockImplementation(async (name, range) => {
      const bytes = await read(name, range);
      await files.remove('locks', id);
      return bytes;
    });
    const lock = await locks.take('shared');
    reading.mockRestore();
    await lock.release();
  });

  test('of two that come at the same time are not both granted', async () => {
    const { locks } = madeLocks({ ...quick, settleMs: 50 });
    const both = await Promise.allSettled([locks.take('exclusive'), locks.take('exclusive')]);
    expect(both.filter(({ status }) => status === 'fulfilled').length).toBeLessThan(2);
  });

  test('where writes are seen at once wait for nobody, and of two that come at the same time are not both granted', async () => {
    const storage = new LocalStorage(await newFolder());
    expect(await storage.isSeenAtOnce()).toBe(true);
    const files = new UnpackedFiles(storage, new Sealer(newMasterKey()), 2);
    const endless = { ...quick, settleMs: 2 ** 31 - 1 };
    const made = () => new Locks(files, 'here', () => storage.isSeenAtOnce(), endless);
    const [one, other] = [made(), made()];
    for (let round = 0; round < 40; round += 1) {
      const kind = round % 2 === 0 ? 'exclusive' : 'shared';
      const both = await Promise.allSettled([one.take('exclusive'), other.take(kind)]);
      const held = both.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(held.length).toBeLessThan(2);
      for (const lock of held) await lock.release();
    }
    await (await one.take('exclusive')).release();
  });

  test('of the living, the dead, the old and the strange: unlock removes only stale ones', async () => {
    const { files, locks } = madeLocks();
    let living = await files.save('locks', foreignLock({}));
    const dead = await files.save(
      'locks',
      foreignLock({ hostname: os.hostname(), pid: pidOfTheDead() }),
    );
    await files.save('locks', foreignLock({ time: goTime(Date.now() - 31 * 60_000) }));
    // Taking a lock never skips one, however stale it looks.
    await expect(locks.take('exclusive')).rejects.toMatchObject({ code: 'repository/locked' });
    await files.remove('locks', living);
    // The dead don't end: waiting for them would be in vain.
    const waiting = locks.take('exclusive', { waitMs: 600_000 });
    await expect(waiting).rejects.toMatchObject({ code: 'repository/locked' });
    living = await files.save('locks', foreignLock({}));
    const gone = await locks.unlock();
    expect(gone.map(({ stale }) => stale)).toEqual([true, true]);
    expect((await locks.list()).locks.map(({ id }) => id)).toEqual([living]);
    expect(dead).not.toBe(living);
    const forced = await locks.unlock(true);
    expect(forced).toMatchObject([{ id: living, stale: false, held: /on elsewhere|by PID/ }]);
  });

  test('of a process that was killed here hinder nobody; of others that seem gone they do', async () => {
    const folder = await quickGolden('restic-0.14-off');
    const program = `
      const { openRepository } = await import(${JSON.stringify(import.meta.resolve('../open.ts'))});
      const { LocalStorage } = await import(${JSON.stringify(import.meta.resolve('../storage/local/local-storage.ts'))});
      const { Secret } = await import('#base');
      const storage = new LocalStorage(process.argv[1]);
      const repository = await openRepository({ storage, password: new Secret(process.argv[2]) });
      await repository.lock('exclusive');
      process.kill(process.pid, 'SIGKILL');`;
    const words = ['--input-type=module', '--eval', program, folder, QUICK];
    const leaveLock = () => {
      const { signal } = spawnSync(process.execPath, words, { cwd: import.meta.dirname });
      expect(signal).toBe('SIGKILL');
    };
    const repository = await open(folder, QUICK);
    leaveLock();
    const { locks } = await repository.locks.list();
    expect(locks).toMatchObject([{ lock: { exclusive: true } }]);
    const lock = await repository.lock('exclusive');
    expect((await repository.locks.list()).locks).toHaveLength(1);
    await lock.release();
    leaveLock();
    // On a machine where it wasn't noted nothing but its number tells that it is gone.
    vi.stubEnv('XDG_STATE_HOME', await newFolder());
    await expect(repository.lock('shared')).rejects.toMatchObject({
      code: 'repository/locked',
      facts: { stale: true },
    });
    vi.unstubAllEnvs();
    await (await repository.lock('shared')).release();
  });

  test('that cannot be read refuse everybody', async () => {
    const { storage, locks } = madeLocks();
    await storage.write(`locks/${'ab'.repeat(32)}`, [Buffer.from('nonsense')]);
    await expect(locks.take('shared')).rejects.toMatchObject({
      code: 'repository/lock-unreadable',
    });
  });

  test('wait for their turn when told to', async () => {
    const { locks } = madeLocks();
    const first = await locks.take('exclusive');
    let told = '';
    const onWait = ({ message }: Error) => {
      told += message;
    };
    const second = locks.take('exclusive', { waitMs: 30_000, onWait });
    await expect.poll(() => told).toContain(`here is locked exclusively by PID ${process.pid}`);
    await first.release();
    await (await second).release();
    expect(told.split('here is locked')).toHaveLength(2);
  });

  test('are refreshed by writing the new one before removing the old one', async () => {
    const { storage, locks } = madeLocks({ settleMs: 1, refreshMs: 20, lostMs: 600_000 });
    const lock = await locks.take('shared');
    const writes = () => storage.calls.filter((call) => call.startsWith('write'));
    await expect.poll(() => writes().length, { timeout: 20_000 }).toBeGreaterThan(2);
    await lock.release();
    expect((await locks.list()).locks).toEqual([]);
    const changes = storage.calls.filter((call) => /^(write|remove)/.test(call));
    expect(changes.slice(0, 3).map((call) => call.split(' ')[0])).toEqual([
      'write',
      'write',
      'remove',
    ]);
    expect(changes[2]).toBe(changes[0]?.replace('write', 'remove'));
  });

  test.each(['at once', 'later'])(
    'whose write timed out and landed %s keep nobody out',
    async (when) => {
      const { storage, locks } = madeLocks();
      const write = storage.write.bind(storage);
      const late: (() => Promise<void>)[] = [];
      const writing = vi.spyOn(storage, 'write').mockImplementation(async (name, parts) => {
        const land = () => write(name, parts);
        if (when === 'later') late.push(land);
        else await land();
        throw errors.storageTimeout(['writing', name, 'here']);
      });
      await expect(locks.take('exclusive')).rejects.toMatchObject({
        code: 'repository/storage-timeout',
      });
      writing.mockRestore();
      for (const land of late) await land();
      expect((await locks.list()).locks).toHaveLength(when === 'later' ? 1 : 0);
      await (await locks.take('exclusive')).release();
      expect((await locks.list()).locks).toHaveLength(0);
    },
  );

  test('whose refresh timed out and landed leave nothing behind', async () => {
    const { storage, locks } = madeLocks({ settleMs: 1, refreshMs: 40, lostMs: 10_000 });
    const lock = await locks.take('shared');
    const write = storage.write.bind(storage);
    const refreshed = Promise.withResolvers<void>();
    let tries = 0;
    vi.spyOn(storage, 'write').mockImplementation(async (name, parts) => {
      await write(name, parts);
      tries += 1;
      if (tries > 2) refreshed.resolve();
      else throw errors.storageTimeout(['writing', name, 'here']);
    });
    await refreshed.promise;
    await lock.release();
    expect((await locks.list()).locks).toHaveLength(0);
  });

  test('that cannot be refreshed tell those who work under them', async () => {
    const { storage, locks } = madeLocks({ settleMs: 1, refreshMs: 10, lostMs: 60 });
    const lock = await locks.take('shared');
    storage.addRule({ on: 'write', fault: { kind: 'error' }, times: Number.POSITIVE_INFINITY });
    await expect.poll(() => lock.signal.aborted, { timeout: 20_000 }).toBe(true);
    expect(lock.signal.reason).toMatchObject({ code: 'repository/lock-lost' });
    await lock.release();
  });

  test('of ours stop restic, and the other way round', async () => {
    const folder = await quickGolden('restic-0.14-off');
    const repository = await open(folder, QUICK);
    const lock = await repository.lock('shared');
    expect(await restic(folder, QUICK, ['list', 'locks'])).toMatch(/[0-9a-f]{64}/);
    await expect(restic(folder, QUICK, ['prune'])).rejects.toMatchObject({
      stderr: expect.stringContaining(`PID ${process.pid}`),
    });
    await lock.release();
    await restic(folder, QUICK, ['prune']);
  });
});
