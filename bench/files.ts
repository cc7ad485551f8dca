/** First and unchanged backup, restore and check of a mixed tree, alternating between the programs; medians and ratios. */
import fs from 'node:fs';
import path from 'node:path';
import { type Input, makeMixedTree } from './input.ts';
import { type Measured, measure, median, medianOf, sizeOf, touchMemoryOf } from './measure.ts';
import { PEERS, type Peer } from './peers.ts';
import { type BenchTable, ratio } from './table.ts';

const TITLES = {
  first: 'first backup',
  unchanged: 'unchanged backup',
  restore: 'restore',
  check: 'check of all data',
};
type Kind = keyof typeof TITLES;
type Jobs = Record<Kind, Measured[]> & { storedBytes: number[] };

const noJobs = (): Jobs => ({ first: [], unchanged: [], restore: [], check: [], storedBytes: [] });

async function once(peer: Peer, folder: string, input: Input, jobs: Jobs): Promise<void> {
  const repository = path.join(folder, `repository-${peer.name}`);
  const target = path.join(folder, `restored-${peer.name}`);
  const env = peer.env(folder);
  await measure(peer.init(repository), env);
  touchMemoryOf(folder, input.bytes);
  jobs.first.push(await measure(peer.backup(repository, input.folder, 1), env));
  jobs.storedBytes.push(sizeOf(repository));
  jobs.unchanged.push(await measure(peer.backup(repository, input.folder, 2), env));
  touchMemoryOf(folder, input.bytes);
  jobs.restore.push(await measure(peer.restore(repository, target, 2), env));
  fs.rmSync(target, { recursive: true, force: true });
  jobs.check.push(await measure(peer.check(repository), env));
  fs.rmSync(repository, { recursive: true, force: true });
}

export async function benchFiles(folder: string, bytes: number, runs: number): Promise<BenchTable> {
  const inputFolder = path.join(folder, 'input');
  const input = makeMixedTree(inputFolder, bytes);
  const jobs = new Map<string, Jobs>(PEERS.map(({ name }) => [name, noJobs()]));
  for (let run = 0; run < runs; run += 1) {
    for (const peer of PEERS) await once(peer, folder, input, jobs.get(peer.name) as Jobs);
  }
  fs.rmSync(inputFolder, { recursive: true, force: true });
  const ours = jobs.get('holdfast') as Jobs;
  const row = (title: string, pick: (of: Jobs) => number) => ({
    title,
    values: PEERS.map(({ name }) => pick(jobs.get(name) as Jobs)),
    ratios: PEERS.slice(1).map(({ name }) => ratio(pick(jobs.get(name) as Jobs), pick(ours))),
  });
  const rowsOf = (kind: Kind) => [
    { unit: 's', ...row(`${TITLES[kind]}, wall`, (of) => medianOf(of[kind]).wallMs / 1000) },
    { unit: 's', ...row(`${TITLES[kind]}, processor`, (of) => medianOf(of[kind]).cpuMs / 1000) },
    {
      unit: 'MiB',
      ...row(`${TITLES[kind]}, peak memory`, (of) => medianOf(of[kind]).peakBytes / 2 ** 20),
    },
  ];
  return {
    title: `${input.files} files, ${Math.round(input.bytes / 2 ** 20)} MiB, zstd level 3, medians of ${runs}`,
    columns: PEERS.map(({ name }) => name),
    rows: [
      ...rowsOf('first'),
      { unit: 'MiB', ...row('stored', (of) => median(of.storedBytes) / 2 ** 20) },
      ...rowsOf('unchanged'),
      ...rowsOf('restore'),
      ...rowsOf('check'),
    ],
  };
}
