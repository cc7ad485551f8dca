import { HoldfastError } from '#base';
import { copyName } from '../copies/second-copies.ts';
import { Sealer } from '../crypto/sealer.ts';
import { readIndexFile } from '../index/load-index.ts';
import type { IndexedPack } from '../pack/header.ts';
import type { Repository } from '../repository.ts';
import { UnpackedFiles } from '../unpacked-files.ts';
import type { StoredPacks } from './packs.ts';

/**
 * True where the copy of an index that is gone tells of packs that are there and that no other index tells of. Else it
 * was pruned by another program: what it tells is out of date.
 */
export async function indexCopyHelps(
  repository: Repository,
  id: string,
  stored: StoredPacks,
): Promise<boolean> {
  const packs: IndexedPack[] = [];
  try {
    await readIndexFile(copiedFiles(repository), id, (pack, list) => {
      if (list === 'packs') packs.push(pack);
    });
  } catch (error) {
    if (error instanceof HoldfastError) return false;
    throw error;
  }
  const { index } = repository;
  return (
    packs.every((pack) => stored.has(pack.id)) && packs.some((pack) => !index.hasPack(pack.id))
  );
}

/** The copies, read as if they were the originals. */
function copiedFiles({ storage, masterKey, config }: Repository): UnpackedFiles {
  const copies = { ...storage, read: (name: string) => storage.read(copyName(name)) };
  return new UnpackedFiles(copies, new Sealer(masterKey), config.version);
}
