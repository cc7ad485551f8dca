/**
 * The index of a repository with very many blobs: made of index files alone, for nothing else is read when it is
 * loaded. Beside restic, which loads all of it to look for one blob.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { randomBytes, Secret } from '#base';
import { createRepository, openStorage, type Repository } from '#repository';
import { type Measured, measure, medianOf } from './measure.ts';
import { type BenchTable, rowsAgainst } from './table.ts';

const BLOBS_PER_FILE = 50_000;
/** Of 1 MiB, in packs of 16 MiB: the most packs that so many blobs commonly have. */
const BLOBS_PER_PACK = 16;
const PASSWORD = 'benchmark';
const SCRYPT = { N: 1024, r: 8, p: 1 };

const PROBE = path.join(import.meta.dirname, 'index-probe.ts');

export async function benchIndex(
  folder: string,
  blobs: number,
  runs: number,
): Promise<BenchTable[]> {
  const repository = path.join(folder, 'many-blobs');
  await makeIndexes(repository, blobs);
  const cache = path.join(folder, 'cache');
  const env = { HOLDFAST_PASSWORD: PASSWORD, RESTIC_PASSWORD: PASSWORD };
  const probe = (...words: string[]) =>
    measure([process.execPath, PROBE, repository, ...words], env);
  const restic = (...words: string[]) => measureRestic(repository, words, env);
  const uncached: [Measured[], Measured[]] = [[], []];
  const cached: [Measured[], Measured[]] = [[], []];
  const resticCache = ['--cache-dir', path.join(folder, 'restic-cache')];
  await probe(cache);
  await restic(...resticCache);
  for (let run = 0; run < runs; run += 1) {
    uncached[0].push(await probe());
    uncached[1].push(await restic('--no-cache'));
    cached[0].push(await probe(cache));
    cached[1].push(await restic(...resticCache));
  }
  const told = spawnSync(process.execPath, [PROBE, repository, cache], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  const { bytesPerBlob, openMs } = JSON.parse(told.stdout) as Record<string, number>;
  const alone = (title: string, unit: string, value = 0) => ({
    title,
    unit,
    values: [value],
    ratios: [],
  });
  return [
    {
      title: `index of ${blobs} blobs, median of ${runs}`,
      columns: ['holdfast', 'restic'],
      rows: [
        ...rowsAgainst('without cache', medianOf(uncached[0]), medianOf(uncached[1])),
        ...rowsAgainst('from the cache', medianOf(cached[0]), medianOf(cached[1])),
      ],
    },
    {
      title: 'of that, in the process itself',
      columns: ['holdfast'],
      rows: [
        alone('index memory', 'B/blob', bytesPerBlob),
        alone('loading it from the cache', 's', (openMs ?? 0) / 1000),
      ],
    },
  ];
}

/** It looks for a blob that isn't there, having loaded every index: an end with 1 is what is wanted. */
function measureRestic(
  repository: string,
  words: readonly string[],
  env: Record<string, string>,
): Promise<Measured> {
  const nobody = '00'.repeat(32);
  const options = ['--no-lock', '-r', repository, ...words];
  return measure(['restic', ...options, 'cat', 'blob', nobody], env, 1);
}

async function makeIndexes(folder: string, blobs: number): Promise<void> {
  const repository = await createRepository({
    storage: await openStorage(folder),
    password: new Secret(PASSWORD),
    scrypt: SCRYPT,
  });
  try {
    for (let made = 0; made < blobs; made += BLOBS_PER_FILE) {
      await saveIndexFile(repository, Math.min(BLOBS_PER_FILE, blobs - made));
    }
  } finally {
    await repository.close();
  }
  fs.rmSync(path.join(folder, 'holdfast', 'copies'), { recursive: true, force: true });
}

async function saveIndexFile(repository: Repository, blobs: number): Promise<void> {
  const ids = randomBytes(blobs * 32);
  const packs: string[] = [];
  for (let first = 0; first < blobs; first += BLOBS_PER_PACK) {
    const own: string[] = [];
    let offset = 0;
    for (let blob = first; blob < Math.min(blobs, first + BLOBS_PER_PACK); blob += 1) {
      const id = ids.toString('hex', blob * 32, blob * 32 + 32);
      const length = 700_000 + ids.readUInt16LE(blob * 32) * 10;
      own.push(
        `{"id":"${id}","type":"data","offset":${offset},"length":${length},"uncompressed_length":${length + 300_000}}`,
      );
      offset += length;
    }
    packs.push(`{"id":"${randomBytes(32).toString('hex')}","blobs":[${own.join(',')}]}`);
  }
  await repository.files.save('index', `{"packs":[${packs.join(',')}]}\n`);
}
