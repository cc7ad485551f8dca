import { expect, test } from 'vitest';
import { open, QUICK, quickGolden, restic } from '../restic.fixture.ts';
import { repositoryStats } from './stats.ts';

test('stats agree with those of restic', async () => {
  const folder = await quickGolden('restic-0.14-max');
  const repository = await open(folder, QUICK);
  const stats = await repositoryStats(repository);
  const mode = async (name: string) =>
    JSON.parse(await restic(folder, QUICK, ['stats', '--json', '--mode', name]));
  const raw = await mode('raw-data');
  expect(stats.dataBlobs + stats.treeBlobs).toBe(raw.total_blob_count);
  expect(stats.storedBytes).toBe(raw.total_size);
  expect(stats.snapshots).toBe(3);
  expect(stats.restoreBytes).toBe((await mode('restore-size')).total_size);
  expect(stats.ratio).toBeCloseTo(stats.restoreBytes / stats.storedBytes);
});
