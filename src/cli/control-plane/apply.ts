/** Handing a declaration to a control plane, and saying what became of it. */
import path from 'node:path';
import { formatDuration, sleepMs, systemClock } from '#base';
import type { CommandSpec, Io } from '../command.ts';
import type { ControlPlane, Schemas } from './client.ts';

export const DECLARATION_OPTIONS: NonNullable<CommandSpec['options']> = [
  ['-f, --file <file>', 'the declaration; by default holdfast.yaml in this folder'],
  ['-e, --stage <stage>', 'the stage: merges its overlay over the file'],
  ['--take-over', 'own a repository whose control plane is lost for good'],
  ['--wait', 'until every store has been captured once'],
];

/** Read here first: what is wrong with a file is told with its line before anything is started. */
export async function declarationFrom(options: Record<string, unknown>) {
  const { DEFAULT_FILE, loadEnvironment } = await import('#environment');
  const file = path.resolve(typeof options.file === 'string' ? options.file : DEFAULT_FILE);
  const stage = typeof options.stage === 'string' ? { stage: options.stage } : {};
  const environment = await loadEnvironment({ file, ...stage });
  return { environment, body: { file, ...stage, takeOver: options.takeOver === true } };
}

export type Declaration = Awaited<ReturnType<typeof declarationFrom>>;

export async function applyTo(
  { ask, client }: ControlPlane,
  declaration: Declaration,
  io: Io,
): Promise<Schemas['Applied']> {
  return ask(client.POST('/v1/environments', { body: declaration.body, signal: io.signal }));
}

export function sayApplied({ environment, stage, stores }: Schemas['Applied'], io: Io): void {
  const counted = stores.filter(({ change }) => change !== 'removed' && change !== 'excluded');
  const number = `${counted.length} store${counted.length === 1 ? '' : 's'}`;
  io.say(`${environment}/${stage} · ${number} under protection`);
  for (const { name, change } of stores) {
    if (change === 'unchanged') continue;
    io.say(`${change === 'excluded' || change === 'removed' ? '·' : '✓'} ${name} ${change}`);
  }
}

/**
 * Until no store waits for its first capture, or one can't be captured. Where nothing moves for long the wait ends, too,
 * and says so: protection goes on without anybody who waits.
 */
export async function untilCaptured(
  { ask, client }: ControlPlane,
  scope: { environment: string; stage: string },
  io: Io,
  stuckAfterMs = STUCK_AFTER_MS,
): Promise<Schemas['Status']> {
  let seen = '';
  let movedAtMs = systemClock.monotonicMs();
  for (;;) {
    const asked = { params: { query: scope }, signal: io.signal };
    const status = await ask(client.GET('/v1/status', asked));
    const waiting = status.stores.filter(({ verdict }) => verdict === 'unknown');
    const failed = status.stores.some(
      ({ verdict, lastCapture }) => verdict === 'missed' && !lastCapture,
    );
    if (failed || status.trouble !== undefined || waiting.length === 0) return status;
    for (const { name, running } of waiting)
      io.progress({ ...running, step: `${name}: first capture` });
    const nowMs = systemClock.monotonicMs();
    const sight = JSON.stringify(status.stores.map(whatMoves));
    if (sight !== seen) {
      seen = sight;
      movedAtMs = nowMs;
    } else if (nowMs - movedAtMs > stuckAfterMs) {
      sayStuck(waiting, nowMs - movedAtMs, io);
      return status;
    }
    await sleepMs(200, io.signal);
  }
}

/** A checkpoint that a base waits for, or a look at a large tree, moves nothing for a while. */
const STUCK_AFTER_MS = 5 * 60_000;

/** Of a status what changes while a first capture gets on; times and a busy journal go on by themselves. */
function whatMoves({ captures, running, journal, verdict, says }: Schemas['StoreStatus']) {
  return [captures, running, journal?.state, verdict, says];
}

function sayStuck(waiting: readonly Schemas['StoreStatus'][], forMs: number, io: Io): void {
  for (const { name, says } of waiting) {
    const what = says === undefined ? '' : ` (${says})`;
    io.warn(`! ${name}: nothing has moved for ${formatDuration(forMs)}${what}`);
  }
  io.warn('  It is tried on without us. Look: holdfast status; the log is server.log');
}
