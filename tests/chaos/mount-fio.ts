/**
 * Mount-fio: fio writes to files of a mount in several ways at once, for some seconds, and compares what it reads with
 * what it wrote; half of the time all data is brought here meanwhile. Then it writes each file as a whole, the mount
 * ends or its process is killed, and all is compared again on the next one.
 */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { mountingOf } from '../../src/recovery/mount/lazy/mounting.fixture.ts';
import { type Campaign, type CampaignOptions, type CampaignReport, Figures } from './campaign.ts';
import { Chance } from './chance.ts';
import { type StoredFiles, storeFiles } from './stored-files.ts';

const SIZE_BYTES = 6 * 2 ** 20;
const SECONDS = 3;
const MOST_OUTPUT_BYTES = 16 * 2 ** 20;

/** A file each. `base…` come from the repository, the others are made by fio. */
const JOBS: Readonly<Record<string, readonly string[]>> = {
  'base-pages': ['--rw=randwrite', '--bs=4k', '--ioengine=psync', '--fsync=64'],
  'base-uneven': ['--rw=randwrite', '--bs=3000', '--ioengine=psync', '--fdatasync=50'],
  'base-mapped': ['--rw=randwrite', '--bs=4k', '--ioengine=mmap'],
  'made-blocks': ['--rw=randwrite', '--bs=8k', '--ioengine=libaio', '--iodepth=8'],
  'made-in-order': ['--rw=write', '--bs=64k', '--ioengine=psync', '--fsync=16'],
  'made-mapped': ['--rw=randwrite', '--bs=4k', '--ioengine=mmap'],
};

export const mountFio: Campaign = {
  summary: 'fio --verify on files of a mount, written in several ways (count: times of 3 s)',
  count: 20,
  run: runMountFio,
};

export async function runMountFio(options: CampaignOptions): Promise<CampaignReport> {
  const figures = new Figures();
  const failures: string[] = [];
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-mount-fio-'));
  const chance = new Chance(options.seed);
  const until = performance.now() + (options.minutes ?? 0) * 60_000;
  const goesOn = (done: number) =>
    options.minutes === undefined ? done < options.count : performance.now() < until;
  try {
    const names = Object.keys(JOBS).filter((name) => name.startsWith('base'));
    const files = new Map(
      names.map((name) => [name, Buffer.alloc(SIZE_BYTES, chance.bytes(5_003))]),
    );
    const stored = await storeFiles(path.join(home, 'repository'), files);
    for (let done = 0; goesOn(done); done += 1) {
      const folder = path.join(home, 'place');
      fs.mkdirSync(folder);
      const failure = await writeAndCompare(stored, folder, chance, figures);
      if (failure !== undefined) failures.push(`time ${done}: ${failure}`);
      fs.rmSync(folder, { recursive: true, force: true });
      options.note(`${done + 1} times, ${failures.length} failures`);
    }
  } finally {
    fs.rmSync(home, { recursive: true, force: true });
  }
  return { figures: figures.toJSON(), failures };
}

/** Resolves to what fio found wrong. */
async function writeAndCompare(
  stored: StoredFiles,
  folder: string,
  chance: Chance,
  figures: Figures,
): Promise<string | undefined> {
  const mounting = mountingOf(stored.repository, stored.tree);
  const mountPoint = path.join(folder, 'mount');
  const fio = (...words: string[]) => runFio(mountPoint, chance.below(2 ** 30), words, figures);
  const mount = () => mounting.mount(folder, chance.oneOf(['through', 'behind']));
  await mount();
  try {
    const hydrated = chance.below(2) === 0 ? mounting.hydrate() : undefined;
    await fio('--time_based', `--runtime=${SECONDS}`, '--verify_backlog=128');
    if (hydrated) figures.add(`times in which all was ${await hydrated} meanwhile`);
    // Without a backlog: with one, fio 3.33 passes over what is wrong when it only verifies.
    const whole = ['--end_fsync=1', '--randseed=1'];
    await fio(...whole, '--do_verify=0');
    if (chance.below(2) === 0) await mounting.unmount();
    else await mounting.kill(folder);
    await mount();
    await fio(...whole, '--verify_only=1');
    figures.add('times');
    return undefined;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    return stderr || message;
  } finally {
    await mounting.unmount();
  }
}

/** Rejects where a byte isn't as it was written. */
async function runFio(
  folder: string,
  seed: number,
  words: readonly string[],
  figures: Figures,
): Promise<void> {
  const everywhere = ['--verify=crc32c', '--verify_fatal=1', '--fallocate=none', '--thread'];
  const jobs = Object.entries(JOBS).flatMap(([name, own]) => [
    ...[`--name=${name}`, `--filename=${name}`, `--size=${SIZE_BYTES}`],
    ...[...own, ...everywhere, `--randseed=${seed}`, ...words],
  ]);
  const format = ['--output-format=json', `--directory=${folder}`];
  const { stdout } = await promisify(execFile)('fio', [...format, ...jobs], {
    cwd: path.dirname(folder),
    maxBuffer: MOST_OUTPUT_BYTES,
  });
  type Told = { read: { io_bytes: number }; write: { io_bytes: number } };
  const told = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { jobs: Told[] };
  for (const { read, write } of told.jobs) {
    figures.add('bytes written', write.io_bytes);
    figures.add('bytes read and compared', read.io_bytes);
  }
}
