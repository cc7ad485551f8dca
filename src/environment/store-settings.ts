import type { StoreSettings } from '#sources';
import type { Environment, Store } from './model.ts';

/** What a source is told of a store; undefined for one that isn't protected. */
export function storeSettings(environment: Environment, store: Store): StoreSettings | undefined {
  if (!('own' in store)) return undefined;
  const { name, rpoMs, protect, own } = store;
  return { name, environment: environment.name, stage: environment.stage, rpoMs, protect, own };
}
