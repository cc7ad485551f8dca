/** Many copies of one point at once: how soon they answer, and what each costs. */
import fs from 'node:fs';
import path from 'node:path';
import { processStateOf } from '#base';
import { median } from '../measure.ts';
import type { BenchTable } from '../table.ts';
import { type Answered, removeCopies, requestCopy } from './requests.ts';
import { grown, openPlace, type Subject } from './subject.ts';

/** One after another, after the first. */
const NEXT_COPIES = 5;
const COPIES = 20;

export async function benchClones(
  folder: string,
  subject: Subject,
  say: (line: string) => void,
): Promise<BenchTable> {
  const { location, made, bytes } = subject;
  const { expected } = await grown(folder, subject, bytes);
  const place = await openPlace(folder, location, subject);
  const request = () => requestCopy(place, made.base.end.offset, expected);
  try {
    const first = await request();
    const next: number[] = [];
    for (let at = 0; at < NEXT_COPIES; at += 1) next.push((await request()).wallMs);
    const service = serviceOf(first);
    const before = proportionalBytes([service]);
    const copies = await Promise.all(Array.from({ length: COPIES }, request));
    const allMs = Math.max(...copies.map(({ wallMs }) => wallMs));
    const serving = (proportionalBytes([service]) - before) / COPIES;
    const servers = copies.reduce((sum, copy) => sum + serverBytes(copy), 0) / COPIES;
    const disk = copies.reduce((sum, { state }) => sum + diskBytes(state.folder), 0) / COPIES;
    say(`a copy: mount service ${mib(serving)} MiB more, Postgres ${mib(servers)} MiB`);
    const row = (title: string, unit: string, value: number) => ({
      ...{ title, unit, values: [value] },
      ratios: [],
    });
    return {
      title: `copies of one point of ${mib(bytes)} MiB; memory is Pss: private pages, and of shared ones each process's part`,
      columns: ['holdfast'],
      rows: [
        row(`a next one, median of ${NEXT_COPIES}`, 's', median(next) / 1000),
        row(`${COPIES} at once, until all answer`, 's', allMs / 1000),
        row('memory of each, mount service and Postgres', 'MiB', (serving + servers) / 2 ** 20),
        row('disk of each', '% of the database', (disk / bytes) * 100),
      ],
    };
  } finally {
    await removeCopies(place);
    await place.repository.close();
  }
}

const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(0);

/** The process that serves its mount is the parent of the one that will unmount it. */
function serviceOf({ state }: Answered): number {
  const folder = state.stores.database?.directory ?? '';
  const guard = processes().find(
    ({ words }) => words.includes('holdfast-unmount') && words.includes(folder),
  );
  if (!guard) throw new Error(`nobody serves ${folder}`);
  return guard.parent;
}

function serverBytes({ state }: Answered): number {
  const directory = state.stores.database?.directory ?? '';
  const all = processes();
  const postmaster = all.find(
    ({ words }) => words[0]?.endsWith('/postgres') && words.includes(directory),
  );
  if (!postmaster) throw new Error(`no server runs on ${directory}`);
  const children = all.filter(({ parent }) => parent === postmaster.pid);
  return proportionalBytes([postmaster, ...children].map(({ pid }) => pid));
}

type Process = { pid: number; parent: number; words: string[] };

function processes(): Process[] {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = fs.readFileSync(`/proc/${name}/stat`, 'utf8');
        const { parent } = processStateOf(stat);
        const words = fs.readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
        return [{ pid: Number(name), parent, words }];
      } catch {
        // It ended while we looked.
        return [];
      }
    });
}

function proportionalBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const text = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return sum + Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
  }, 0);
}

/** Room that it really takes; what is mounted in it counts by the files below the mount. */
function diskBytes(folder: string): number {
  const device = fs.statSync(folder).dev;
  return fs.readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const file = path.join(folder, entry.name);
    const stat = fs.lstatSync(file);
    if (stat.dev !== device) return sum;
    return sum + (entry.isDirectory() ? diskBytes(file) : stat.blocks * 512);
  }, 0);
}
