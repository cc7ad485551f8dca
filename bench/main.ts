/**
 * Side by side with restic, borg and Postgres' own tools, on the same input in one run; prints medians and ratios.
 *   npm run bench [-- files|image|postgres|instant|journal|index] [--mib 1024] [--blobs 10000000] [--runs 3] [--seconds 30] [--folder /dev/shm]
 *     instant: [--gib 1,8,40] [--parts start,wal,pgbench,clones,peers] [--storages local,s3]
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { benchFiles } from './files.ts';
import { benchImage } from './image.ts';
import { benchIndex } from './index.ts';
import { benchInstant, PARTS, type Part } from './instant/bench-instant.ts';
import type { StorageKind } from './instant/start.ts';
import { benchJournalLag } from './journal-lag.ts';
import { benchPostgres } from './postgres.ts';
import { showTable } from './table.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mib: { type: 'string' },
    gib: { type: 'string', default: '1,8,40' },
    parts: { type: 'string', default: PARTS.join(',') },
    storages: { type: 'string', default: 'local,s3' },
    blobs: { type: 'string', default: '10000000' },
    seconds: { type: 'string', default: '30' },
    runs: { type: 'string', default: '3' },
    folder: { type: 'string', default: os.tmpdir() },
    json: { type: 'boolean', default: false },
  },
});

const folder = fs.mkdtempSync(path.join(values.folder, 'holdfast-bench-'));
fs.chmodSync(folder, 0o755);
try {
  const wanted = positionals.length === 0 ? ['files', 'postgres'] : positionals;
  const tables = [];
  const mib = (fallback: number) => Number(values.mib ?? fallback) * 2 ** 20;
  const bytes = mib(1024);
  const runs = Number(values.runs);
  if (wanted.includes('files')) tables.push(await benchFiles(folder, mib(2048), runs));
  if (wanted.includes('image')) tables.push(await benchImage(folder, mib(6144), runs));
  if (wanted.includes('postgres')) tables.push(...(await benchPostgres(folder, bytes, runs)));
  if (wanted.includes('instant')) {
    tables.push(
      ...(await benchInstant(folder, {
        sizes: values.gib.split(',').map((gib) => Number(gib) * 2 ** 30),
        runs,
        parts: values.parts.split(',') as Part[],
        storages: values.storages.split(',') as StorageKind[],
        say: (line) => process.stderr.write(`${line}\n`),
      })),
    );
  }
  if (wanted.includes('journal'))
    tables.push(await benchJournalLag(folder, bytes, Number(values.seconds)));
  if (wanted.includes('index'))
    tables.push(...(await benchIndex(folder, Number(values.blobs), runs)));
  if (values.json) process.stdout.write(`${JSON.stringify(tables)}\n`);
  else for (const table of tables) process.stdout.write(`${showTable(table)}\n`);
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
