/** What one environment's protection has started by the clock. */
import type { Environment } from '#environment';
import type { Job, Schedule } from '../durable/jobs.ts';
import { environmentName } from './context.ts';
import type { StoreProtection } from './store-protection.ts';

const CATALOG_EVERY_MS = 5 * 60_000;
const RETENTION_EVERY_MS = 86_400_000;
/** Whether one is due that is made off production, and the server idle. */
const LOOK_FOR_BASES_EVERY_MS = 60_000;

/** `proofLookEveryMs`: how often it is looked whether one is to be made. */
export function schedulesOf(
  environment: Environment,
  stores: readonly StoreProtection[],
  proofLookEveryMs: number,
): Schedule[] {
  const { name, stage } = environment;
  const scope = { environment: name, stage };
  const named = environmentName(environment);
  const every = (task: 'catalog' | 'retention' | 'check' | 'prune', everyMs: number) => ({
    ...{ name: `${task}:${named}`, everyMs },
    job: { task, ...scope },
  });
  const { check, prune } = environment.repository;
  const proving: Schedule = {
    name: `prove:${named}`,
    everyMs: proofLookEveryMs,
    job: { task: 'prove', ...scope },
  };
  return [
    ...stores.flatMap((store) => captureSchedule(store, scope, named) ?? []),
    every('catalog', CATALOG_EVERY_MS),
    every('retention', RETENTION_EVERY_MS),
    every('check', check.everyMs),
    every('prune', prune.everyMs),
    ...(environment.proofs ? [proving] : []),
  ];
}

/** Undefined where the store's own watcher says when. */
function captureSchedule(
  store: StoreProtection,
  scope: { environment: string; stage: string },
  named: string,
): Schedule | undefined {
  const everyMs = everyMsOf(store);
  if (everyMs === undefined) return undefined;
  const task: 'capture' | 'next-base' = isMadeOfCopies(store) ? 'next-base' : 'capture';
  const job: Job = { task, ...scope, store: store.store.name };
  const lookEveryMs = task === 'capture' ? everyMs : Math.min(everyMs, LOOK_FOR_BASES_EVERY_MS);
  return { name: `${task}:${named}/${store.store.name}`, everyMs: lookEveryMs, job };
}

const isMadeOfCopies = ({ journal, bases, source }: StoreProtection) =>
  journal !== undefined && bases.from === 'copy' && source.advance !== undefined;

function everyMsOf({ store, journal, bases, watched }: StoreProtection): number | undefined {
  const { protect, rpoMs } = store;
  if (protect.kind === 'every') return protect.everyMs;
  if (journal) return bases.everyMs;
  return watched ? undefined : Math.max(1_000, rpoMs);
}
