/** `holdfast when`: until when a condition held, and what to type next. */
import { formatDuration, parseDurationMs, systemClock } from '#base';
import type { ExitCode, Io } from '../command.ts';
import { errors } from '../errors.ts';
import { parseWhen } from '../frame/when.ts';
import { listOf } from '../repository/session.ts';
import type { Options } from './access.ts';
import { oneStore, textOf, withParts } from './parts-session.ts';

const USAGE = 'holdfast when';
const DEFAULT_PRECISION_MS = 1_000;

export async function lastHeld(options: Options, io: Io): Promise<ExitCode> {
  const sql = textOf(options.sql);
  if (sql === undefined || sql.trim() === '') {
    throw errors.usage(['--sql is the condition that held once and holds no more', USAGE]);
  }
  const nowMs = systemClock.nowMs();
  const precisionMs =
    options.precision === undefined
      ? DEFAULT_PRECISION_MS
      : parseDurationMs(String(options.precision));
  if (precisionMs === undefined || precisionMs < 1) {
    throw errors.usage(['--precision is a duration: 1s, 5m', USAGE]);
  }
  const from = options.from === undefined ? undefined : parseWhen(String(options.from), nowMs);
  const to = parseWhen(textOf(options.to) ?? 'latest', nowMs);
  const database = textOf(options.database);
  return await withParts<ExitCode>(options, io, async (parts) => {
    const { storeWithTables, whenLastHeld } = await import('#app/recovery');
    const store = oneStore(listOf(options.store ?? []), storeWithTables(parts.environment), USAGE);
    const found = await whenLastHeld(parts, {
      ...{ store, sql, to, precisionMs },
      ...(from && { from }),
      ...(database === undefined ? {} : { database }),
      onStep: ({ heldMs, failedMs }) =>
        io.progress({ step: `between ${iso(heldMs)} and ${iso(failedMs)}` }),
    });
    io.say(`held      until ${iso(found.heldMs)}`);
    io.say(`no more   from  ${iso(found.failedMs)}${found.isExact ? ', by one commit' : ''}`);
    io.say(
      `Found with ${found.copies} copies${found.isExact ? '' : `, to ${formatDuration(found.failedMs - found.heldMs)}`}.`,
    );
    io.say('This takes it that the condition held until one instant and never again after it.');
    io.say();
    io.say(
      `  look      holdfast diff ${iso(found.heldMs)} ${iso(found.failedMs)} --store ${store}`,
    );
    io.say(`  go back   holdfast recover --to ${iso(found.heldMs)} --store ${store}`);
    io.result({ store, sql, ...found });
    return 0;
  });
}

const iso = (ms: number) => new Date(ms).toISOString();
