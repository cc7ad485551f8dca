/** Opening a repository and listing its snapshots: one repository, made by restic, so that its key costs both the same. */
import path from 'node:path';
import { Secret } from '#base';
import { openRepository, openStorage } from '#repository';
import { type Measured, measure, medianOf } from './measure.ts';
import { holdfastProgram, PASSWORD, restic } from './peers.ts';
import { type BenchTable, rowsAgainst } from './table.ts';

/** Each is listed; none is followed to its tree. */
const NO_TREE = '0'.repeat(64);
const DAY_MS = 86_400_000;

export async function benchSnapshots(
  folder: string,
  count: number,
  runs: number,
): Promise<BenchTable> {
  const location = path.join(folder, 'many-snapshots');
  const env = { HOLDFAST_PASSWORD: PASSWORD, ...restic.env(folder) };
  await measure(restic.init(location), env);
  await saveSnapshots(location, count);
  const ours = [holdfastProgram, 'repo', 'snapshots', '--repo', location];
  const theirs = ['restic', '-q', '-r', location, 'snapshots'];
  // Both keep what they have read.
  for (const command of [ours, theirs]) await measure(command, env);
  const times: [Measured[], Measured[]] = [[], []];
  for (let run = 0; run < runs; run += 1) {
    times[0].push(await measure(ours, env));
    times[1].push(await measure(theirs, env));
  }
  return {
    title: `${count} snapshots, medians of ${runs}`,
    columns: ['holdfast', 'restic'],
    rows: rowsAgainst('opened and listed', medianOf(times[0]), medianOf(times[1])),
  };
}

async function saveSnapshots(location: string, count: number): Promise<void> {
  const storage = await openStorage(location);
  const repository = await openRepository({ storage, password: new Secret(PASSWORD) });
  try {
    for (let at = 0; at < count; at += 1) {
      const time = Date.UTC(2020, 0, 1) + at * DAY_MS;
      await repository.snapshots.save({ time, tree: NO_TREE, paths: ['/srv/media'], tags: [] });
    }
  } finally {
    await repository.close();
  }
}
