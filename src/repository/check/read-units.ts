/** What a check can read: packs, and Holdfast's own sealed files. */
import { hash } from 'node:crypto';
import { packName } from '../names.ts';
import type { Storage } from '../storage/storage.ts';
import type { StoredPacks } from './packs.ts';

const OWN_FOLDER = 'holdfast/';
/** Not sealed: second copies and parity are held against what they are copies and parity of. */
const UNSEALED = /^holdfast\/(copies|parity)\//;
const KEY_DIGITS = 16;

export type ReadUnit = {
  name: string;
  sizeBytes: number;
  /** Where it is a pack. */
  packId?: string;
  /** 16 hex digits that stand for it: of a pack's id, or of the hash of a name. */
  key: string;
};

export async function readableUnits(storage: Storage, packs: StoredPacks): Promise<ReadUnit[]> {
  const units: ReadUnit[] = [];
  for (const [packId, sizeBytes] of packs) {
    units.push({ name: packName(packId), sizeBytes, packId, key: packId.slice(0, KEY_DIGITS) });
  }
  for await (const { name, sizeBytes } of storage.list(OWN_FOLDER)) {
    if (UNSEALED.test(name)) continue;
    units.push({ name, sizeBytes, key: hash('sha256', name, 'hex').slice(0, KEY_DIGITS) });
  }
  return units;
}
