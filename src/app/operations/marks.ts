/** Naming an instant, durably in the repository before anybody is told. */
import { silent, systemClock, timedId } from '#base';
import { type Mark, type Position, writeMark } from '#repository';
import type { MarkRequest, Mark as MarkView } from '#server';
import type { EnvironmentProtection } from '../protection/environment-protection.ts';
import { explained } from '../protection/keep-trying.ts';
import type { StoreProtection } from '../protection/store-protection.ts';

/** A deploy waits no longer than this: where a store doesn't answer, its commit times tell later where it stood. */
const POSITION_WITHIN_MS = 2_000;

export async function makeMark(
  protection: EnvironmentProtection,
  request: MarkRequest,
): Promise<MarkView> {
  const { name, stage } = protection.environment;
  const atMs = systemClock.nowMs();
  const mark: Mark = {
    id: timedId(atMs),
    environment: name,
    stage,
    kind: request.kind,
    atMs,
    ...(request.sha === undefined ? {} : { sha: request.sha }),
    ...(request.author === undefined ? {} : { author: request.author }),
    ...(request.note === undefined ? {} : { note: request.note }),
    positions: await positionsNow(protection),
  };
  await writeMark(protection.context.repository, mark);
  return markView(mark);
}

export function markView(mark: Mark): MarkView {
  const positions = Object.entries(mark.positions).map(
    ([store, { line, offset }]) => [store, { line, offset: offset.toString() }] as const,
  );
  return { ...mark, positions: Object.fromEntries(positions) };
}

/** Of the stores with a journal, those that answer in time. */
async function positionsNow({
  stores,
  context,
}: EnvironmentProtection): Promise<Record<string, Position>> {
  const asked = [...stores.values()].map(async (store): Promise<[string, Position][]> => {
    try {
      const position = await positionOf(store, context);
      return position ? [[store.store.name, position]] : [];
    } catch (error) {
      const { what } = explained(error);
      context.log.warn({ store: store.store.name, what }, 'a mark holds no position of this store');
      return [];
    }
  });
  return Object.fromEntries((await Promise.all(asked)).flat());
}

async function positionOf(
  { source, settings, journal, stateFolder }: StoreProtection,
  { log }: EnvironmentProtection['context'],
): Promise<Position | undefined> {
  if (!journal || !source.position) return undefined;
  return await source.position(settings, {
    log,
    progress: silent,
    signal: AbortSignal.timeout(POSITION_WITHIN_MS),
    stateFolder,
  });
}
