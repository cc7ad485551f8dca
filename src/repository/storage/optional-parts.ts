import type { Storage } from './storage.ts';

/** What a storage may have or not: for those that stand before another one and pass on what they don't change. */
export function optionalParts(
  inner: Storage,
): Pick<
  Storage,
  | 'isRemote'
  | 'isSeenAtOnce'
  | 'pathOf'
  | 'listNames'
  | 'patience'
  | 'versions'
  | 'removeLeftovers'
  | 'removeAll'
  | 'serverTimeMs'
> {
  return {
    ...(inner.isRemote && { isRemote: true }),
    ...(inner.isSeenAtOnce && { isSeenAtOnce: inner.isSeenAtOnce.bind(inner) }),
    ...(inner.pathOf && { pathOf: inner.pathOf.bind(inner) }),
    ...(inner.listNames && { listNames: inner.listNames.bind(inner) }),
    ...(inner.patience && { patience: inner.patience }),
    ...(inner.versions && { versions: inner.versions }),
    ...(inner.removeLeftovers && { removeLeftovers: inner.removeLeftovers.bind(inner) }),
    ...(inner.removeAll && { removeAll: inner.removeAll.bind(inner) }),
    ...(inner.serverTimeMs && { serverTimeMs: inner.serverTimeMs.bind(inner) }),
  };
}
