/** `npm run bench -- files --mib 1024`: us and the others side by side, on the same input in one run; medians and ratios. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '#base';
import { benchFiles } from './files.ts';
import { benchImage } from './image.ts';
import { benchIndex } from './index.ts';
import { benchInstant, PARTS } from './instant/bench-instant.ts';
import { STORAGE_KINDS } from './instant/start.ts';
import { benchJournalLag } from './journal-lag.ts';
import { benchPostgres } from './postgres.ts';
import { benchSnapshots } from './snapshots.ts';
import { type BenchTable, showTable } from './table.ts';

const DEFAULTS = ['files', 'postgres'];

const options = {
  mib: { type: 'string' },
  gib: { type: 'string', default: '1,8,40' },
  parts: { type: 'string', default: PARTS.join(',') },
  storages: { type: 'string', default: STORAGE_KINDS.join(',') },
  blobs: { type: 'string', default: '10000000' },
  snapshots: { type: 'string', default: '1000' },
  seconds: { type: 'string', default: '30' },
  runs: { type: 'string', default: '3' },
  folder: { type: 'string', default: os.tmpdir() },
  json: { type: 'boolean', default: false },
} as const;

type Asked = ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];
type Bench = {
  summary: string;
  /** What runs it; throws where it can't be done as asked, before anything is. */
  plan(asked: Asked): (folder: string) => Promise<BenchTable[]>;
};

/** A new benchmark is one entry here. */
const benches: Readonly<Record<string, Bench>> = {
  files: {
    summary: 'a mixed tree, against restic and borg  [--mib 2048]',
    plan(asked) {
      const [bytes, runs] = [bytesOf(asked, 2048), runsOf(asked)];
      return async (folder) => [await benchFiles(folder, bytes, runs)];
    },
  },
  image: {
    summary: 'an image whose pages change, against restic and borg  [--mib 6144]',
    plan(asked) {
      const [bytes, runs] = [bytesOf(asked, 6144), runsOf(asked)];
      return async (folder) => [await benchImage(folder, bytes, runs)];
    },
  },
  postgres: {
    summary: "bases and recovery, against Postgres' own tools and pgBackRest  [--mib 1024]",
    plan(asked) {
      const [bytes, runs] = [bytesOf(asked, 1024), runsOf(asked)];
      return (folder) => benchPostgres(folder, bytes, runs);
    },
  },
  instant: {
    summary: `recovery on mounts  [--gib 1,8,40] [--parts ${PARTS}] [--storages ${STORAGE_KINDS}]`,
    plan(asked) {
      const wanted = {
        sizes: asked.gib.split(',').map((gib) => positive('gib', gib) * 2 ** 30),
        runs: runsOf(asked),
        parts: chosen('parts', asked.parts, PARTS),
        storages: chosen('storages', asked.storages, STORAGE_KINDS),
        say: (line: string) => process.stderr.write(`${line}\n`),
      };
      return (folder) => benchInstant(folder, wanted);
    },
  },
  journal: {
    summary: 'how far the journal lags behind a busy server  [--mib 1024] [--seconds 30]',
    plan(asked) {
      const [bytes, seconds] = [bytesOf(asked, 1024), positive('seconds', asked.seconds)];
      return async (folder) => [await benchJournalLag(folder, bytes, seconds)];
    },
  },
  index: {
    summary: 'memory and opening of a large index  [--blobs 10000000]',
    plan(asked) {
      const [blobs, runs] = [positive('blobs', asked.blobs), runsOf(asked)];
      return (folder) => benchIndex(folder, blobs, runs);
    },
  },
  snapshots: {
    summary: 'opening a repository and listing its snapshots, beside restic  [--snapshots 1000]',
    plan(asked) {
      const [count, runs] = [positive('snapshots', asked.snapshots), runsOf(asked)];
      return async (folder) => [await benchSnapshots(folder, count, runs)];
    },
  },
};

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${option} takes positive numbers, not ${text}`);
  return value;
}

const bytesOf = (asked: Asked, fallbackMib: number) =>
  positive('mib', asked.mib ?? `${fallbackMib}`) * 2 ** 20;
const runsOf = (asked: Asked) => Math.ceil(positive('runs', asked.runs));

function chosen<T extends string>(option: string, text: string, known: readonly T[]): T[] {
  return text.split(',').map((word) => {
    const found = known.find((one) => one === word);
    if (found === undefined) throw new Error(`--${option} takes some of ${known}, not ${word}`);
    return found;
  });
}

function planned() {
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  const names = positionals.length === 0 ? DEFAULTS : positionals;
  const plans = names.map((name) => {
    const bench = benches[name];
    if (!bench) throw new Error(`no benchmark is called ${name}`);
    return bench.plan(values);
  });
  if (!fs.existsSync(values.folder)) throw new Error(`--folder: there is no ${values.folder}`);
  return { plans, ...values };
}

function refuse(error: unknown): never {
  const lines = [
    messageOf(error),
    'npm run bench [-- NAME… [--runs 3] [--folder FOLDER] [--json] …]',
    ...Object.entries(benches).map(([name, { summary }]) => `  ${name.padEnd(9)} ${summary}`),
  ];
  process.stderr.write(`${lines.join('\n')}\n`);
  process.exit(2);
}

async function measure({ plans, folder: place, json }: ReturnType<typeof planned>): Promise<void> {
  const folder = fs.mkdtempSync(path.join(place, 'holdfast-bench-'));
  fs.chmodSync(folder, 0o755);
  spreadFolders(folder);
  try {
    const tables: BenchTable[] = [];
    for (const run of plans) tables.push(...(await run(folder)));
    if (json) process.stdout.write(`${JSON.stringify(tables)}\n`);
    else for (const table of tables) process.stdout.write(`${showTable(table)}\n`);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

let plan: ReturnType<typeof planned>;
try {
  plan = planned();
} catch (error) {
  refuse(error);
}
await measure(plan);

/**
 * Each folder in it is put where the disk is empty. Without a journal, ext4 looks at the inode of every file that was
 * removed nearby in the last minutes before it makes another, and a copy of a database is made of a thousand. Nothing happens
 * on other file systems.
 */
function spreadFolders(folder: string): void {
  spawnSync('chattr', ['+T', folder], { stdio: 'ignore' });
}
