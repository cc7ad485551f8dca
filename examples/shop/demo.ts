/**
 * The main job, on real parts: a shop that takes orders is protected, damaged, and brought back to the instant before.
 *   npm run demo [-- --keep] [-- --json] [-- --record FOLDER] [-- --end FOLDER]
 * Every number it prints was measured in this run.
 */
import { parseArgs } from 'node:util';
import { type Act, playDemo } from './demo/play.ts';
import { keepRecord, RECORD } from './demo/record.ts';
import { findStage, setStage, strikeStage } from './demo/stage.ts';
import { showOutcome } from './demo/summary.ts';

const USAGE = 'usage: npm run demo [-- --keep] [-- --json] [-- --record FOLDER] [-- --end FOLDER]';

function readOptions(): { keep?: boolean; json?: boolean; record?: string; end?: string } {
  const flag = { type: 'boolean' } as const;
  try {
    const text = { type: 'string' } as const;
    return parseArgs({ options: { keep: flag, json: flag, record: text, end: text } }).values;
  } catch (error) {
    process.stderr.write(`demo: ${(error as Error).message}\n${USAGE}\n`);
    process.exit(2);
  }
}

const { keep = false, json = false, record = RECORD, end } = readOptions();

const stop = new AbortController();
// One Ctrl-C arrives several times: from the terminal, from npm, from the script that found this Node.
const SAME_INTERRUPT_MS = 1_000;
let interruptedAt: number | undefined;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    const now = performance.now();
    if (interruptedAt !== undefined) {
      if (now - interruptedAt > SAME_INTERRUPT_MS) process.exit(130);
      return;
    }
    interruptedAt = now;
    process.stderr.write('\nStopping and clearing up…\n');
    stop.abort(new Error('interrupted'));
  });
}

const tell = (act: Act) => {
  if (json) return;
  process.stdout.write(`${act.text}\n`);
};

async function endStage(folder: string): Promise<number> {
  await strikeStage(await findStage(folder, stop.signal));
  tell({ text: `Ended, and ${folder} removed.` });
  return 0;
}

async function main(): Promise<number> {
  if (end !== undefined) return await endStage(end);
  tell({ text: 'Opening the shop: Postgres, an API, uploads, a pipeline…' });
  const stage = await setStage(stop.signal);
  let kept = false;
  try {
    const outcome = await playDemo(stage, { tell });
    await keepRecord(stage, outcome, record);
    if (json) process.stdout.write(`${JSON.stringify({ ...outcome, record })}\n`);
    else process.stdout.write(showOutcome(outcome, record));
    kept = keep;
    return outcome.exact ? 0 : 1;
  } finally {
    if (kept) tell({ text: `\nLeft running. To end it: npm run demo -- --end ${stage.folder}` });
    else await strikeStage(stage);
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!stop.signal.aborted) process.stderr.write(`✗ ${(error as Error).message}\n`);
  process.exitCode = stop.signal.aborted ? 130 : 1;
}
