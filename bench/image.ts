/** Backups of a database-like image, and again after 2% of its pages changed; alternating, medians and ratios. */
import fs from 'node:fs';
import path from 'node:path';
import { changePages, makeImage } from './image-input.ts';
import { type Measured, measure, median, medianOf, sizeOf } from './measure.ts';
import { PEERS, type Peer } from './peers.ts';
import { type BenchTable, ratio } from './table.ts';

const CHANGED_PART = 0.02;

type Jobs = {
  first: Measured[];
  storedBytes: number[];
  changed: Measured[];
  newBytes: number[];
};

export async function benchImage(folder: string, bytes: number, runs: number): Promise<BenchTable> {
  const input = path.join(folder, 'image');
  const image = path.join(input, 'database.img');
  fs.mkdirSync(input);
  const jobs = new Map<Peer, Jobs>(
    PEERS.map((peer) => [peer, { first: [], storedBytes: [], changed: [], newBytes: [] }]),
  );
  for (let run = 0; run < runs; run += 1) {
    makeImage(image, bytes, run * 1000 + 1);
    for (const [peer, of] of jobs) await first(peer, folder, input, of);
    changePages(image, CHANGED_PART, run * 1000 + 500);
    for (const [peer, of] of jobs) await changed(peer, folder, input, of);
  }
  fs.rmSync(input, { recursive: true, force: true });
  return {
    title: `An image of ${Math.round(bytes / 2 ** 20)} MiB, of which 2% of the 8 KiB pages change, zstd level 3, medians of ${runs}`,
    columns: PEERS.map(({ name }) => name),
    rows: rowsOf([...jobs.values()]),
  };
}

const repositoryOf = (peer: Peer, folder: string) => path.join(folder, `image-${peer.name}`);

async function first(peer: Peer, folder: string, input: string, of: Jobs): Promise<void> {
  const repository = repositoryOf(peer, folder);
  const env = peer.env(folder);
  await measure(peer.init(repository), env);
  of.first.push(await measure(peer.backup(repository, input, 1), env));
  of.storedBytes.push(sizeOf(repository));
}

async function changed(peer: Peer, folder: string, input: string, of: Jobs): Promise<void> {
  const repository = repositoryOf(peer, folder);
  const before = sizeOf(repository);
  of.changed.push(await measure(peer.backup(repository, input, 2), peer.env(folder)));
  of.newBytes.push(sizeOf(repository) - before);
  fs.rmSync(repository, { recursive: true, force: true });
}

function rowsOf(all: readonly Jobs[]): BenchTable['rows'] {
  const [ours, ...others] = all as [Jobs, ...Jobs[]];
  const row = (title: string, unit: string, pick: (of: Jobs) => number) => ({
    title,
    unit,
    values: all.map(pick),
    ratios: others.map((of) => ratio(pick(of), pick(ours))),
  });
  const mib = (bytes: number) => bytes / 2 ** 20;
  return [
    row('first backup, wall', 's', (of) => medianOf(of.first).wallMs / 1000),
    row('first backup, processor', 's', (of) => medianOf(of.first).cpuMs / 1000),
    row('stored', 'MiB', (of) => mib(median(of.storedBytes))),
    row('after the change, wall', 's', (of) => medianOf(of.changed).wallMs / 1000),
    row('after the change, processor', 's', (of) => medianOf(of.changed).cpuMs / 1000),
    row('after the change, peak memory', 'MiB', (of) => mib(medianOf(of.changed).peakBytes)),
    row('after the change, new bytes', 'MiB', (of) => mib(median(of.newBytes))),
  ];
}
