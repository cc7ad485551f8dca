/** A whole environment to an instant, as a user sees it: the example shop, damaged and brought back by a command. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { median } from '../measure.ts';
import type { BenchTable } from '../table.ts';

const DEMO = path.resolve(import.meta.dirname, '../../examples/shop/demo.ts');

type Told = { report: { tookMs: number; phases: { phase: string; tookMs: number }[] } };
type Outcome = { beside: Told; inPlace: Told };

/** Throws where a run isn't exact to the last order and upload: the demo ends with 1 then. */
export async function benchShop(folder: string, runs: number): Promise<BenchTable> {
  const outcomes: Outcome[] = [];
  for (let run = 0; run < runs; run += 1) outcomes.push(await playDemo(folder));
  const row = (title: string, msOf: (outcome: Outcome) => number) => ({
    ...{ title, unit: 's', values: [median(outcomes.map(msOf)) / 1000] },
    ratios: [],
  });
  const phaseOf = (name: string) => (outcome: Outcome) =>
    outcome.beside.report.phases.find(({ phase }) => phase === name)?.tookMs ?? 0;
  return {
    title: `API, Postgres, uploads and pipeline to an instant by a command, control plane running; medians of ${runs}`,
    columns: ['holdfast'],
    rows: [
      row('beside production', ({ beside }) => beside.report.tookMs),
      row('of it data', phaseOf('data')),
      row('of it journal', phaseOf('journal')),
      row('of it services', phaseOf('services')),
      row('in place of production', ({ inPlace }) => inPlace.report.tookMs),
    ],
  };
}

async function playDemo(folder: string): Promise<Outcome> {
  const words = [DEMO, '--json', '--record', path.join(folder, 'record')];
  const { stdout } = await promisify(execFile)(process.execPath, words);
  return JSON.parse(stdout) as Outcome;
}
