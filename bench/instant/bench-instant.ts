/** Instant recovery beside what it replaces: how soon a copy answers, how fast it is, what it costs. */
import fs from 'node:fs';
import type { BenchTable } from '../table.ts';
import { benchStart, type StorageKind } from './start.ts';
import { makeSubject } from './subject.ts';

export const PARTS = ['start'] as const;
export type Part = (typeof PARTS)[number];

export type InstantOptions = {
  sizes: readonly number[];
  runs: number;
  parts: readonly Part[];
  storages: readonly StorageKind[];
  /** Phases and progress, a line each. */
  say: (line: string) => void;
};

export async function benchInstant(folder: string, options: InstantOptions): Promise<BenchTable[]> {
  const { sizes, parts } = options;
  const tables: BenchTable[] = [];
  const subject = await makeSubject(folder, Math.min(...sizes));
  try {
    await subject.server.stop();
    if (parts.includes('start')) tables.push(await benchStart(folder, subject, options));
    return tables;
  } finally {
    await subject.server.remove();
    fs.rmSync(subject.location, { recursive: true, force: true });
  }
}
