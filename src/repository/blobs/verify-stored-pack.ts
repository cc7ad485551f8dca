import { packName } from '../names.ts';
import type { PackVerdict } from '../pack/verify-pack.ts';
import type { Repository } from '../repository.ts';
import type { DecodePool } from './decode-pool.ts';
import { Rooms } from './rooms.ts';

/** See `Repository.verifyPack`. */
export async function verifyStoredPack(
  { storage, index }: Pick<Repository, 'storage' | 'index'>,
  pool: DecodePool,
  packId: string,
  rooms = new Rooms(),
): Promise<PackVerdict> {
  const read = await storage.read(packName(packId), undefined, rooms.hint);
  const bytes = rooms.memoryOf(read);
  const expected = index.wordsOfPack(packId);
  const verdict = await pool.verify({ packId, bytes, sizeBytes: read.length, expected });
  rooms.give(bytes);
  return verdict;
}
