/** What one base after another takes in the repository while pgbench runs between them, by the size of the chunks. */
import fs from 'node:fs';
import path from 'node:path';
import type { TestServer } from '../src/sources/postgres/test-server.ts';
import { openDatabase, pgbench } from './database.ts';
import { measure, median, sizeOf } from './measure.ts';
import { holdfast } from './peers.ts';
import { type BenchTable, ratio } from './table.ts';

const CHUNK_KIB = [128, 64, 8] as const;
/** Between two bases, of which each changes a row of the large table: 1 in 20 pages of a GiB. */
const BYTES_PER_TRANSACTION = 160 * 1024;
const CLIENTS = 4;

type Sizes = { first: number; later: number[] };

/** `laterBases`: how many after the first; of what each of them takes the median is told. */
export async function benchBaseSizes(
  folder: string,
  bytes: number,
  laterBases: number,
): Promise<BenchTable> {
  const { server, bytes: databaseBytes } = await openDatabase(folder, bytes);
  const repositories = CHUNK_KIB.map((kib) => path.join(folder, `chunks-${kib}`));
  const env = holdfast.env(folder);
  try {
    for (const repository of repositories) await measure(holdfast.init(repository), env);
    const sizes = CHUNK_KIB.map((): Sizes => ({ first: 0, later: [] }));
    const transactions = Math.max(1, Math.round(bytes / BYTES_PER_TRANSACTION / CLIENTS));
    for (let base = 0; base <= laterBases; base += 1) {
      if (base > 0) {
        await pgbench(server, ['-n', '-c', `${CLIENTS}`, '-t', `${transactions}`]);
        await server.sql('checkpoint');
      }
      for (const [at, kib] of CHUNK_KIB.entries()) {
        const stored = await captureBase(server, repositories[at] as string, kib);
        const of = sizes[at] as Sizes;
        if (base === 0) of.first = stored;
        else of.later.push(stored);
      }
    }
    return tableOf(databaseBytes, transactions * CLIENTS, sizes);
  } finally {
    await server.remove();
    for (const made of repositories) fs.rmSync(made, { recursive: true, force: true });
  }
}

/** Answers by how much the repository grew. */
async function captureBase(
  server: TestServer,
  repository: string,
  chunkKib: number,
): Promise<number> {
  const before = sizeOf(repository);
  await measure([process.execPath, path.join(import.meta.dirname, 'base-capture.ts')], {
    BENCH_REPOSITORY: repository,
    BENCH_PASSWORD: holdfast.env('').HOLDFAST_PASSWORD as string,
    BENCH_URL: server.url(),
    BENCH_STATE: path.dirname(repository),
    BENCH_CHUNK: `${chunkKib}KiB`,
  });
  return sizeOf(repository) - before;
}

function tableOf(databaseBytes: number, transactions: number, sizes: readonly Sizes[]): BenchTable {
  const row = (title: string, pick: (of: Sizes) => number) => {
    const values = sizes.map((of) => pick(of) / 2 ** 20);
    const [first, ...others] = values as [number, ...number[]];
    return { title, unit: 'MiB', values, ratios: others.map((value) => ratio(value, first)) };
  };
  const size = Math.round(databaseBytes / 2 ** 20);
  return {
    title: `bases of ${size} MiB, each ${transactions} transactions of pgbench after the last, by chunk size, zstd for pages`,
    columns: CHUNK_KIB.map((kib) => `${kib} KiB`),
    rows: [
      row('first base, stored', ({ first }) => first),
      row('each later one, stored', ({ later }) => median(later)),
    ],
  };
}
