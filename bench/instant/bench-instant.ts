/** Instant recovery beside what it replaces: how soon a copy answers, how fast it is, what it costs. */
import fs from 'node:fs';
import type { BenchTable } from '../table.ts';
import { benchClones } from './clones.ts';
import { benchFullRestores } from './peers.ts';
import { benchReplay } from './replay.ts';
import { benchShop } from './shop.ts';
import { benchStart, type StorageKind } from './start.ts';
import { makeSubject } from './subject.ts';
import { benchWarm } from './warm.ts';

export const PARTS = ['start', 'wal', 'shop', 'pgbench', 'clones', 'peers'] as const;
export type Part = (typeof PARTS)[number];

/** They make what they bring back themselves. */
const OWN_SUBJECT: readonly Part[] = ['wal', 'shop'];

export type InstantOptions = {
  /** Bytes of each database. The smallest is made of real pages, and what the others have more of is made up. */
  sizes: readonly number[];
  runs: number;
  parts: readonly Part[];
  storages: readonly StorageKind[];
  /** Phases and progress, a line each. */
  say: (line: string) => void;
};

export async function benchInstant(folder: string, options: InstantOptions): Promise<BenchTable[]> {
  const { sizes, parts, runs, say } = options;
  const tables: BenchTable[] = [];
  if (parts.some((part) => !OWN_SUBJECT.includes(part))) {
    const subject = await makeSubject(folder, Math.min(...sizes));
    try {
      await subject.server.stop();
      if (parts.includes('start')) tables.push(await benchStart(folder, subject, options));
      if (parts.includes('peers')) tables.push(await benchFullRestores(folder, subject));
      if (parts.includes('clones')) tables.push(await benchClones(folder, subject, say));
      if (parts.includes('pgbench')) tables.push(await benchWarm(folder, subject, runs));
    } finally {
      await subject.server.remove();
      fs.rmSync(subject.location, { recursive: true, force: true });
    }
  }
  if (parts.includes('wal')) tables.push(await benchReplay(folder, runs, say));
  if (parts.includes('shop')) tables.push(await benchShop(folder, runs));
  return tables;
}
