/** Taking files away, where the storage lets us. */
import { isHoldfastError } from '#base';
import { inLanes } from '../in-lanes.ts';
import { packName } from '../names.ts';
import { parityName } from '../parity/parity-names.ts';
import type { Repository } from '../repository.ts';
import type { Storage } from '../storage/storage.ts';

const REMOVALS_AT_ONCE = 8;
const PACKS_AT_ONCE = 500;

/** `locked`: what the storage keeps for a while yet (Object Lock); the next prune finds it again. */
export type Removed = { removed: number; locked: number };

export async function removeAll(
  items: Iterable<string>,
  signal: AbortSignal,
  remove: (item: string) => Promise<void>,
): Promise<Removed> {
  const outcome: Removed = { removed: 0, locked: 0 };
  await inLanes(items, REMOVALS_AT_ONCE, async (item) => {
    signal.throwIfAborted();
    try {
      await remove(item);
      outcome.removed += 1;
    } catch (error) {
      if (!isHoldfastError(error, 'repository/still-locked')) throw error;
      outcome.locked += 1;
    }
  });
  return outcome;
}

/** With their parity, which goes first: it could bring a removed pack back. */
export async function removePacks(
  repository: Repository,
  ids: Iterable<string>,
  signal: AbortSignal,
  onPack: () => void = () => {},
): Promise<Removed> {
  const { storage } = repository;
  const hasParity = await isAny(storage.list('holdfast/parity/'));
  if (storage.removeAll) return removeTogether(storage, [...ids], hasParity, signal, onPack);
  return removeAll(ids, signal, async (id) => {
    if (hasParity) await storage.remove(parityName(id));
    await storage.remove(packName(id));
    onPack();
  });
}

/** Where one request takes many files away. */
async function removeTogether(
  storage: Storage,
  ids: readonly string[],
  hasParity: boolean,
  signal: AbortSignal,
  onPack: () => void,
): Promise<Removed> {
  const outcome: Removed = { removed: 0, locked: 0 };
  for (let at = 0; at < ids.length; at += PACKS_AT_ONCE) {
    signal.throwIfAborted();
    const some = ids.slice(at, at + PACKS_AT_ONCE);
    const kept = new Set(hasParity ? await storage.removeAll?.(some.map(parityName)) : []);
    const free = some.filter((id) => !kept.has(parityName(id)));
    const locked = (await storage.removeAll?.(free.map(packName))) ?? [];
    const removed = free.length - locked.length;
    outcome.removed += removed;
    outcome.locked += some.length - removed;
    for (let pack = 0; pack < removed; pack += 1) onPack();
  }
  return outcome;
}

async function isAny(files: AsyncIterable<unknown>): Promise<boolean> {
  for await (const _file of files) return true;
  return false;
}
