import { expect, test } from 'vitest';
import { systemClock } from '#base';
import { open, QUICK, quickGolden } from '../restic.fixture.ts';
import { forget } from './forget.ts';
import { endLease, leaseSnapshot, readLeases } from './leases.ts';

const MINUTE_MS = 60_000;

test('a lease keeps its snapshot until it is given back or ends by itself', async () => {
  const repository = await open(await quickGolden('restic-0.14-max'), QUICK);
  const [{ tree } = { tree: '' }] = await repository.snapshots.list();
  const [newest, read, abandoned] = await Promise.all(
    [1, 2, 3].map((days) => {
      const time = systemClock.nowMs() - days * 24 * 60 * MINUTE_MS;
      return repository.snapshots.save({ time, tree, paths: ['/a'], hostname: 'reader' });
    }),
  );
  if (!newest || !read || !abandoned) throw new Error('nothing was saved');
  const nowMs = systemClock.nowMs();
  const by = 'mounted on web1 at /srv/copy';
  await leaseSnapshot(repository, read.id, 'one', { untilMs: nowMs + MINUTE_MS, by });
  await leaseSnapshot(repository, abandoned.id, 'two', { untilMs: nowMs - MINUTE_MS, by });

  const forgetting = () => forget(repository, { last: 1 }, { filter: { hosts: ['reader'] } });
  await forgetting();
  expect(await idsOfReader()).toEqual([newest.id, read.id].sort());
  expect([...(await readLeases(repository)).keys()]).toEqual([read.id]);
  expect(await repository.sealed.list('leases/')).toHaveLength(1);

  await endLease(repository, read.id, 'one');
  await endLease(repository, read.id, 'one');
  await forgetting();
  expect(await idsOfReader()).toEqual([newest.id]);

  async function idsOfReader(): Promise<string[]> {
    const snapshots = await repository.snapshots.list({ hosts: ['reader'] });
    return snapshots.map(({ id }) => id).sort();
  }
});
