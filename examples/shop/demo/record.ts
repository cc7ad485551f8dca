/** What a run leaves behind: what was acknowledged, what was recovered, what came of holding one against the other. */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { Outcome } from './play.ts';
import type { Stage } from './stage.ts';

const FOLDER = path.resolve(import.meta.dirname, '../../../.demo');

/** Replaces the record of the run before. Resolves to its folder. */
export async function keepRecord(stage: Stage, outcome: Outcome): Promise<string> {
  await fs.rm(FOLDER, { recursive: true, force: true });
  await fs.mkdir(FOLDER, { mode: 0o700 });
  await fs.copyFile(stage.record, path.join(FOLDER, 'acknowledged.jsonl'));
  for (const [name, { report }] of [
    ['beside', outcome.beside] as const,
    ['in-place', outcome.inPlace] as const,
  ]) {
    const state = path.join(report.folder, 'recovery.json');
    await fs.copyFile(state, path.join(FOLDER, `recovery-${name}.json`));
  }
  await fs.writeFile(path.join(FOLDER, 'outcome.json'), `${JSON.stringify(outcome, null, 2)}\n`, {
    mode: 0o600,
  });
  return FOLDER;
}
