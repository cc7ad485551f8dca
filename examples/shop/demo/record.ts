/** What a run leaves behind: what was acknowledged, what was recovered, what came of holding one against the other. */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { Outcome } from './play.ts';
import type { Stage } from './stage.ts';

export const RECORD = path.resolve(import.meta.dirname, '../../../.demo');

/** Replaces the record of the run before. */
export async function keepRecord(stage: Stage, outcome: Outcome, folder: string): Promise<void> {
  await fs.mkdir(folder, { recursive: true, mode: 0o700 });
  await fs.copyFile(stage.record, path.join(folder, 'acknowledged.jsonl'));
  for (const [name, { report }] of [
    ['beside', outcome.beside] as const,
    ['in-place', outcome.inPlace] as const,
  ]) {
    const state = path.join(report.folder, 'recovery.json');
    await fs.copyFile(state, path.join(folder, `recovery-${name}.json`));
  }
  await fs.writeFile(path.join(folder, 'outcome.json'), `${JSON.stringify(outcome, null, 2)}\n`, {
    mode: 0o600,
  });
}
