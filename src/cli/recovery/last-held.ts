/** `holdfast when`: until when a condition held, and what to type next. */
import type { ConditionRequest } from '#app/recovery';
import { formatDuration, parseDurationMs, systemClock } from '#base';
import type { LastHeld, When } from '#recovery';
import type { ExitCode, Io } from '../command.ts';
import { errors } from '../errors.ts';
import { parseWhen } from '../frame/when.ts';
import { listOf } from '../repository/session.ts';
import type { Options } from './access.ts';
import { type PartRequest, withServedPart } from './parts-served.ts';
import { oneStore, textOf, withParts } from './parts-session.ts';
import { wantedInstant } from './served.ts';

const USAGE = 'holdfast when';
const DEFAULT_PRECISION_MS = 1_000;

export async function lastHeld(options: Options, io: Io): Promise<ExitCode> {
  const condition = conditionFrom(options);
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
  // What a shell is to run is run here, as this user, and never by a server.
  const served =
    'sql' in condition
      ? await askServed({ ...condition, from, to, precisionMs }, options, io)
      : undefined;
  if (served !== undefined) return served;
  return await withParts<ExitCode>(options, io, async (parts) => {
    const { storeWithTables, whenLastHeld } = await import('#app/recovery');
    const named = listOf(options.store ?? []);
    const store = oneStore(named, storeWithTables(parts.environment), USAGE);
    const found = await whenLastHeld(parts, {
      ...{ store, condition, to, precisionMs },
      ...(from && { from }),
      onStep: ({ heldMs, failedMs }) =>
        io.progress({ step: `between ${iso(heldMs)} and ${iso(failedMs)}` }),
    });
    tellHeld(found, { store, condition }, io);
    return 0;
  });
}

function conditionFrom(options: Options): Condition {
  const [sql, command, database] = [options.sql, options.command, options.database].map(textOf);
  const [given, ...others] = [sql, command].filter((text) => text !== undefined);
  if (given === undefined || given.trim() === '' || others.length > 0) {
    throw errors.usage(['--sql or --command is the condition that held and holds no more', USAGE]);
  }
  if (command !== undefined) {
    if (database !== undefined) throw errors.usage(['--database goes with --sql', USAGE]);
    return { command };
  }
  return { sql: given, ...(database === undefined ? {} : { database }) };
}

type Asked = {
  sql: string;
  from: When | undefined;
  to: When;
  precisionMs: number;
  database?: string;
};

/** Undefined where no control plane is to do it. */
async function askServed(
  { sql, from, to, precisionMs, database }: Asked,
  options: Options,
  io: Io,
): Promise<ExitCode | undefined> {
  const [store, ...others] = listOf(options.store ?? []);
  if (others.length > 0) throw errors.usage(['--store names the one store that is meant', USAGE]);
  const owner = textOf(options.owner);
  const body: PartRequest = {
    ...{ kind: 'condition', sql, to: wantedInstant(to), precisionMs },
    ...(store === undefined ? {} : { store }),
    ...(from && { from: wantedInstant(from) }),
    ...(database === undefined ? {} : { database }),
    ...(owner === undefined ? {} : { owner }),
  };
  return await withServedPart(body, options, io, async ({ part }) => {
    const { store: asked = '', condition } = part;
    if (!condition) throw new TypeError('a condition that was looked up came without its answer');
    tellHeld(condition, { store: asked, condition: { sql } }, io);
    return 0;
  });
}

type Condition = ConditionRequest['condition'];

function tellHeld(
  found: LastHeld,
  { store, condition }: { store: string; condition: Condition },
  io: Io,
): void {
  io.say(`held      until ${iso(found.heldMs)}`);
  io.say(`no more   from  ${iso(found.failedMs)}${found.isExact ? ', by one commit' : ''}`);
  io.say(
    `Found with ${found.copies} copies${found.isExact ? '' : `, to ${formatDuration(found.failedMs - found.heldMs)}`}.`,
  );
  io.say('This takes it that the condition held until one instant and never again after it.');
  io.say();
  io.say(`  look      holdfast diff ${iso(found.heldMs)} ${iso(found.failedMs)} --store ${store}`);
  io.say(`  go back   holdfast recover --to ${iso(found.heldMs)} --store ${store}`);
  io.result({ store, ...condition, ...found });
}

const iso = (ms: number) => new Date(ms).toISOString();
