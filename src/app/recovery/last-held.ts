/** When a condition last held, asked of copies of one store. */
import { isHoldfastError } from '#base';
import { type Environment, runChecks } from '#environment';
import {
  type Choice,
  type ChosenStore,
  findLastHeld,
  type LastHeld,
  type Moment,
  type PassingCopy,
  recoveryWindows,
  type When,
  withPassingCopy,
} from '#recovery';
import { openJournalReader } from '#repository';
import { errors } from '../errors.ts';
import { choosePart, type PartsOptions, passingOptions, tablesOf } from './parts.ts';
import { spoolFolderOf } from './spool.ts';

export type ConditionRequest = {
  store: string;
  condition: Condition;
  from?: When;
  to: When;
  precisionMs: number;
  onStep(step: { heldMs: number; failedMs: number; copies: number }): void;
};

/** A query that answers true or a row; a line for sh, run as a check is, that exits with 0. */
export type Condition = { sql: string; database?: string } | { command: string };

/** Throws what `findLastHeld` and `chooseRecovery` throw, and what the condition is refused for. */
export async function whenLastHeld(
  options: PartsOptions,
  request: ConditionRequest,
): Promise<LastHeld> {
  const { store } = request;
  const holdsIn = conditionIn(request, options);
  const passing = await passingOptions(options);
  const chooseAt = (atMs: number) => choosePart(options, { kind: 'time', atMs }, [store]);
  const last = await choosePart(options, request.to, [store]);
  const from = request.from && (await choosePart(options, request.from, [store])).instantMs;
  const ask = async (atMs: number) => await withPassingCopy(await chooseAt(atMs), passing, holdsIn);
  const begin = from ?? (await windowBegin(options, store, last.instantMs));
  return await withoutTables(ask, (holds) =>
    findLastHeld({
      fromMs: begin,
      toMs: last.instantMs,
      precisionMs: request.precisionMs,
      momentAt: async (atMs) => momentOf(await chooseAt(atMs)),
      holds: ({ atMs }) => holds(atMs),
      onStep: request.onStep,
    }),
  );
}

/** Asks one copy. Throws where it can't be known: `app/condition-unknown` of a command that never ran. */
function conditionIn(
  { store, condition }: ConditionRequest,
  { environment, signal }: PartsOptions,
): (copy: PassingCopy) => Promise<boolean> {
  if ('command' in condition) {
    const { command } = condition;
    const checks: Environment['checks'] = [{ kind: 'command', name: 'condition', command }];
    return async ({ bindings }) => {
      const [seen] = await runChecks({ ...environment, checks }, bindings, { signal });
      if (seen?.verdict === 'unknown') throw errors.conditionUnknown([seen.what]);
      return seen?.verdict === 'pass';
    };
  }
  const { parts } = tablesOf(environment, store, undefined);
  return async (copy) => await parts.holds(copy.store(store), condition, copy.context(store));
}

/**
 * Where there is no such table, yet or any more, a condition doesn't hold. What can be asked neither now nor then is
 * refused as it stands.
 */
async function withoutTables<T>(
  ask: (atMs: number) => Promise<boolean>,
  search: (holds: (atMs: number) => Promise<boolean>) => Promise<T>,
): Promise<T> {
  let asked = 0;
  let refusedAtEnd: unknown;
  try {
    return await search(async (atMs) => {
      asked += 1;
      const isEnd = asked === 1;
      return await ask(atMs).catch((error: unknown) => {
        if (!isHoldfastError(error, 'postgres/condition-invalid')) throw error;
        if (isEnd) refusedAtEnd = error;
        return false;
      });
    });
  } catch (error) {
    throw isHoldfastError(error, 'recovery/never-held') ? (refusedAtEnd ?? error) : error;
  }
}

function momentOf({ instantMs, stores }: Choice): Moment {
  const { capture, resolved } = stores[0] as ChosenStore;
  if (!resolved) return { atMs: instantMs, state: capture.id };
  const { position, lastCommitMs, firstLeftBehindMs } = resolved;
  const { offsetMs } = capture.clock;
  return {
    atMs: instantMs,
    state: `${position.line}/${position.offset}`,
    ...(lastCommitMs === undefined ? {} : { lastCommitMs: lastCommitMs - offsetMs }),
    ...(firstLeftBehindMs === undefined ? {} : { nextCommitMs: firstLeftBehindMs - offsetMs }),
  };
}

/** Of the window that holds the instant, or of the newest one before it. */
async function windowBegin(
  { environment, repository }: PartsOptions,
  store: string,
  atMs: number,
): Promise<number> {
  const address = { environment: environment.name, stage: environment.stage, store };
  const spoolFolder = spoolFolderOf(environment, store);
  const journal = openJournalReader(repository, address, { spoolFolder });
  const windows = await recoveryWindows(repository, address, journal);
  const begun = windows.filter(({ fromMs }) => fromMs <= atMs);
  return begun.at(-1)?.fromMs ?? atMs;
}
