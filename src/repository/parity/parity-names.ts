/** Where the parity of packs lies: restic leaves names below `holdfast/` alone. */
import { idOfName } from '../names.ts';
import type { Storage } from '../storage/storage.ts';

const FOLDER = 'holdfast/parity/';

/** `holdfast/parity/ab/ab12…`. */
export function parityName(packId: string): string {
  return `${FOLDER}${packId.slice(0, 2)}/${packId}`;
}

/** Sizes of all sidecars by the ids of their packs. */
export async function storedParity(storage: Storage): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { name, sizeBytes } of storage.list(FOLDER)) {
    const id = idOfName(name);
    if (id !== undefined && name === parityName(id)) sizes.set(id, sizeBytes);
  }
  return sizes;
}
