/** From the request to the first answered query, by the size of the database: it must not matter. */

import { mountsOf } from '../../src/app/recovery/index.ts';
import { median } from '../measure.ts';
import { ADDRESS } from '../protected.ts';
import type { BenchRow, BenchTable } from '../table.ts';
import type { Expected } from './expected.ts';
import { type Answered, commandCopy, type Place, removeCopies, requestCopy } from './requests.ts';
import { serveSlowly } from './slow-bucket.ts';
import { grown, openPlace, type Subject } from './subject.ts';

export const S3_DELAY_MS = 20;

export const STORAGE_KINDS = ['local', 's3'] as const;
export type StorageKind = (typeof STORAGE_KINDS)[number];

export type StartOptions = {
  sizes: readonly number[];
  runs: number;
  storages: readonly StorageKind[];
  say: (line: string) => void;
};

type Times = {
  first: Answered;
  /** The first one of a service that was at hand, as a control plane has one. */
  held: Answered;
  warm: Answered[];
  command: Answered;
  /** Bytes of objects that the first request had sent; undefined where nobody counts. */
  sentBytes: number | undefined;
};

export async function benchStart(
  folder: string,
  subject: Subject,
  options: StartOptions,
): Promise<BenchTable> {
  const { sizes, runs, storages, say } = options;
  const rows: BenchRow[] = [];
  for (const storage of storages) {
    const times: Times[] = [];
    for (const bytes of sizes) {
      const one = await measureSize(folder, subject, bytes, storage, runs);
      say(`${storage} ${gib(bytes)} GiB: ${phasesOf(one)}`);
      times.push(one);
    }
    rows.push(...rowsOf(storage, times, sizes));
  }
  return {
    title: `from the request to the first answered query, the instant of the base; of each size ${gib(subject.bytes)} GiB are real, the rest lies in index, trees and block map alone; s3: ${S3_DELAY_MS} ms added to each request; medians of ${runs}`,
    columns: sizes.map((bytes) => `${gib(bytes)} GiB`),
    rows,
  };
}

const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(bytes < 2 ** 30 ? 2 : 0);

async function measureSize(
  folder: string,
  subject: Subject,
  bytes: number,
  storage: StorageKind,
  runs: number,
): Promise<Times> {
  const { location, expected } = await grown(folder, subject, bytes);
  const bucket = storage === 's3' ? await serveSlowly(location, S3_DELAY_MS) : undefined;
  const place = await openPlace(folder, bucket?.url ?? location, subject);
  const lsn = subject.made.base.end.offset;
  const other = { ...place, root: `${place.root}-command` };
  const third = { ...place, root: `${place.root}-held` };
  try {
    const first = await requestCopy(place, lsn, expected);
    const sentBytes = bucket?.sentBytes();
    const warm: Answered[] = [];
    for (let run = 0; run < runs; run += 1) warm.push(await requestCopy(place, lsn, expected));
    const command = await commandCopy(other, lsn, expected);
    const held = await heldCopy(third, lsn, expected);
    return { first, held, warm, command, sentBytes };
  } finally {
    for (const each of [place, other, third]) await removeCopies(each);
    await place.repository.close();
    await bucket?.close();
  }
}

async function heldCopy(place: Place, lsn: bigint, expected: Expected): Promise<Answered> {
  const { environment, repository, root } = place;
  const service = await mountsOf(environment, repository, root).hold([ADDRESS]);
  try {
    if (!(await service.ready)) throw new Error('the mount service was not made ready');
    return await requestCopy(place, lsn, expected);
  } finally {
    await service.letGo();
  }
}

function rowsOf(storage: StorageKind, times: readonly Times[], sizes: readonly number[]) {
  const row = (title: string, unit: string, pick: (of: Times) => number): BenchRow => {
    const values = times.map(pick);
    const [first, ...others] = values as [number, ...number[]];
    return {
      title: `${storage}: ${title}`,
      unit,
      values,
      ratios: others.map((one) => one / first),
    };
  };
  const rows = [
    row('key and mount service at hand', 's', ({ warm }) => seconds(warm)),
    row('the same, the first of its point', 's', ({ held }) => held.wallMs / 1000),
    row('key at hand', 's', ({ first }) => first.wallMs / 1000),
    row('cold command', 's', ({ command }) => command.wallMs / 1000),
  ];
  if (times.every(({ sentBytes }) => sentBytes !== undefined)) {
    const share = ({ sentBytes = 0 }: Times, at: number) => (sentBytes / (sizes[at] ?? 1)) * 100;
    const values = times.map(share);
    const title = `${storage}: fetched for the first, with index and trees`;
    const ratios = values.slice(1).map((value) => value / (values[0] as number));
    rows.push({ title, unit: '% of the database', values, ratios });
  }
  return rows;
}

const seconds = (answered: readonly Answered[]) =>
  median(answered.map(({ wallMs }) => wallMs)) / 1000;

function phasesOf({ first, warm }: Times): string {
  const words = Object.keys(first.phases).map((phase) => {
    const ms = median(warm.map(({ phases }) => phases[phase] ?? 0));
    return `${phase} ${ms.toFixed(0)} ms (first ${first.phases[phase]?.toFixed(0)})`;
  });
  return words.join(', ');
}
