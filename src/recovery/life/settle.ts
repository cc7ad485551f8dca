/**
 * What is left of a mounted recovery once it answers: what was replayed is written out, and then made durable. Whoever
 * asked for it needn't wait for that; until then it doesn't survive an end of this host.
 */
import type { Source } from '#sources';
import type { Choice } from '../choose/request.ts';
import { errors } from '../errors.ts';
import { alone } from './alone.ts';
import { type CrashPoint, noCrash } from './crash-point.ts';
import { settleStores } from './mounted-store.ts';
import { LIVES, readState, saveState } from './state.ts';
import { contextFor, type StoreOptions } from './switch.ts';

/**
 * Idempotent, and goes on after a crash. Nobody is kept from changing it meanwhile, but at the end. Throws what hinders it,
 * and `recovery/being-changed` where it was removed or switched meanwhile.
 */
export async function settleRecovery(
  options: StoreOptions & { crashPoint?: CrashPoint },
): Promise<void> {
  const { state, crashPoint = noCrash } = options;
  try {
    await checkpointStores(options);
  } catch (error) {
    // Taken away or switched meanwhile: that a server ended under it is no failure then.
    const status = (await readState(state.folder))?.status;
    if (status === undefined || !LIVES.includes(status)) throw errors.beingChanged([state.id]);
    throw error;
  }
  crashPoint('create/written-out');
  await alone(state, async () => {
    if (LIVES.includes(state.status)) await noteSettled(options);
  });
}

/** Nothing is made durable before that: Postgres writes without fsync what it writes while it replays. */
export async function checkpointStores(options: StoreOptions): Promise<void> {
  for (const [store, { directory }] of Object.entries(options.state.stores)) {
    await options.sources[store]?.checkpoint?.(directory, contextFor(options, store));
  }
}

/** By the names of the stores. */
export function sourcesOf({ stores }: Choice): Record<string, Source> {
  return Object.fromEntries(stores.map(({ store }) => [store.name, store.source]));
}

/** After `checkpointStores`. The services of its mounts make it durable in the background, for that may take long. */
export async function noteSettled({ state }: Pick<StoreOptions, 'state'>): Promise<void> {
  await settleStores(state);
  delete state.isUnsettled;
  await saveState(state);
}
