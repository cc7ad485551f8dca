import { inLanes } from '../in-lanes.ts';
import type { Storage } from '../storage/storage.ts';
import { parityName, storedParity } from './parity-names.ts';

const REMOVALS_AT_ONCE = 8;

/** The sidecars of packs that are gone. Call it after the packs were removed; what has none is passed over. */
export async function removeParity(
  storage: Storage,
  packIds: Iterable<string>,
  signal?: AbortSignal,
): Promise<number> {
  const there = await storedParity(storage);
  const outdated = [...packIds].filter((id) => there.has(id));
  await inLanes(outdated, REMOVALS_AT_ONCE, (id) => {
    signal?.throwIfAborted();
    return storage.remove(parityName(id));
  });
  return outdated.length;
}
