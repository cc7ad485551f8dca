import { packName } from '../names.ts';
import type { PackVerdict } from '../pack/verify-pack.ts';
import type { Repository } from '../repository.ts';
import type { TreeLinks } from '../tree-links.ts';
import type { DecodePool } from './decode-pool.ts';
import { Rooms } from './rooms.ts';

export type VerifyPackOptions = {
  /** Where the bytes go, so that many packs take no memory of their own. */
  rooms?: Rooms;
  /** Get what the trees of the pack lead to, while they have room. */
  links?: TreeLinks | undefined;
};

/** See `Repository.verifyPack`. */
export async function verifyStoredPack(
  { storage, index }: Pick<Repository, 'storage' | 'index'>,
  pool: DecodePool,
  packId: string,
  { rooms = new Rooms(), links }: VerifyPackOptions = {},
): Promise<PackVerdict> {
  const read = await storage.read(packName(packId), undefined, rooms.hint);
  const bytes = rooms.memoryOf(read);
  const expected = index.wordsOfPack(packId);
  const table = links?.hasRoom ? links.index.share() : undefined;
  const pack = { packId, bytes, sizeBytes: read.length, expected, ...(table && { table }) };
  const verified = await pool.verify(pack);
  rooms.give(bytes);
  if (verified.links) links?.add(verified.links);
  return verified.verdict;
}
