/**
 * The main job, on real parts: a shop that takes orders is protected, damaged, and brought back to the instant before.
 *   npm run demo [-- --keep] [-- --json]
 * Every number it prints was measured in this run.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Act, playDemo } from './demo/play.ts';
import { setStage, strikeStage } from './demo/stage.ts';
import { showOutcome } from './demo/summary.ts';

const words = process.argv.slice(2);
const unknown = words.find((word) => word !== '--keep' && word !== '--json');
if (unknown !== undefined) {
  process.stderr.write(
    `demo: unknown option ${unknown}\nusage: npm run demo [-- --keep] [-- --json]\n`,
  );
  process.exit(2);
}
const keep = words.includes('--keep');
const json = words.includes('--json');

const stop = new AbortController();
let interrupts = 0;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    interrupts += 1;
    if (interrupts > 1) process.exit(130);
    process.stderr.write('\nStopping and clearing up…\n');
    stop.abort(new Error('interrupted'));
  });
}

const tell = (act: Act) => {
  if (json) return;
  process.stdout.write(`${act.text}\n`);
};

async function main(): Promise<number> {
  tell({ text: 'Opening the shop: Postgres, an API, uploads, a pipeline…' });
  const stage = await setStage(stop.signal);
  let kept = false;
  try {
    const outcome = await playDemo(stage, { tell, pause: (ms) => pause(ms, undefined, stop) });
    if (json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
    else process.stdout.write(showOutcome(outcome, stage));
    kept = keep;
    return outcome.exact ? 0 : 1;
  } finally {
    if (kept) tell({ text: `\nLeft running in ${stage.folder}; to end it: holdfast down --purge` });
    else await strikeStage(stage);
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!stop.signal.aborted) process.stderr.write(`✗ ${(error as Error).message}\n`);
  process.exitCode = stop.signal.aborted ? 130 : 1;
}
