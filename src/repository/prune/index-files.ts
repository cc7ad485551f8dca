/**
 * The index files of a repository and which packs each tells of; which of them must be replaced, and by what. All blobs
 * of a pack stay in one file.
 */
import { inLanes } from '../in-lanes.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import { NO_FILE } from '../index/pack-table.ts';
import { ID_BYTES } from '../names.ts';
import type { IndexedPack } from '../pack/header.ts';
import { EntrySet } from '../reachable-blobs.ts';
import type { Repository } from '../repository.ts';

const BLOBS_PER_INDEX = 50_000;
const FILES_AT_ONCE = 4;

/** A file with fewer blobs is small; each capture leaves one. */
const SMALL_FILE_BLOBS = 5_000;
/** So many small ones are worth being written as one. */
const SMALL_FILES_WORTH_MERGING = 8;

export type IndexFile = {
  id: string;
  /** Numbers of the packs that it tells of, as the repository's index counts them. */
  packs: Uint32Array;
  blobs: number;
  /** It tells of packs that wait for deletion (rustic). */
  marked: boolean;
};

/**
 * `into`: takes in what the files tell, packs that wait for deletion too. Else only known packs are noted, and a file
 * that a backup has written since the index was loaded is passed over: what it tells is nobody's to replace. `except`:
 * ids of files to pass over.
 */
export async function readIndexFiles(
  repository: Repository,
  into?: BlobIndex,
  except: ReadonlySet<string> = new Set(),
): Promise<IndexFile[]> {
  const files: IndexFile[] = [];
  const ids = (await repository.files.list('index')).filter((id) => !except.has(id));
  await inLanes(ids, FILES_AT_ONCE, async (id) => {
    const entries = await repository.readIndexFile(id);
    into?.addEntries(entries, NO_FILE, { marked: true });
    const index = into ?? repository.index;
    const packs = new Uint32Array(entries.counts.length);
    let known = 0;
    for (let pack = 0; pack < entries.counts.length; pack += 1) {
      const number = index.packNumberAt(entries.packIds, pack * ID_BYTES);
      if (number >= 0) {
        packs[known] = number;
        known += 1;
      } else if (!entries.marked[pack]) return;
    }
    const blobs = entries.counts.reduce((sum, count) => sum + count, 0);
    files.push({ id, packs: packs.slice(0, known), blobs, marked: entries.marked.includes(1) });
  });
  return files;
}

export function smallFiles(files: readonly IndexFile[]): IndexFile[] {
  const small = files.filter(({ blobs }) => blobs < SMALL_FILE_BLOBS);
  return small.length >= SMALL_FILES_WORTH_MERGING ? small : [];
}

/**
 * Files that tell of a pack that goes, those that `also` names, and files that tell of a pack that one of these tells
 * of too, maybe of another part of it.
 */
export function outdatedFiles(
  files: readonly IndexFile[],
  gone: EntrySet,
  also: ReadonlySet<IndexFile> = new Set(),
): IndexFile[] {
  const touched = new EntrySet(0);
  const outdated = new Set<IndexFile>();
  for (let before = -1; before !== outdated.size; ) {
    before = outdated.size;
    for (const file of files) {
      if (outdated.has(file)) continue;
      const isTouched =
        file.packs.length === 0 ||
        also.has(file) ||
        file.packs.some((number) => gone.has(number) || touched.has(number));
      if (!isTouched) continue;
      outdated.add(file);
      for (const number of file.packs) touched.add(number);
    }
  }
  return [...outdated];
}

/** What the outdated files still have to tell, and the fresh packs: saved. Resolves to the ids of what was written. */
export async function writeReplacements(
  repository: Repository,
  outdated: readonly IndexFile[],
  gone: EntrySet,
  fresh: readonly IndexedPack[],
): Promise<string[]> {
  const { index } = repository;
  const ids: string[] = [];
  const packs = function* (): Iterable<IndexedPack> {
    yield* fresh;
    const told = new EntrySet(index.packCount);
    for (const { packs: numbers } of outdated) {
      for (const number of numbers) {
        if (gone.has(number) || !told.add(number)) continue;
        yield { id: index.packIdOf(number), blobs: index.contentsOf(number) };
      }
    }
  };
  for (const batch of batches(packs())) ids.push(await repository.saveIndex(batch));
  return ids;
}

function* batches(packs: Iterable<IndexedPack>): Iterable<IndexedPack[]> {
  let batch: IndexedPack[] = [];
  let blobs = 0;
  for (const pack of packs) {
    if (blobs > 0 && blobs + pack.blobs.length > BLOBS_PER_INDEX) {
      yield batch;
      batch = [];
      blobs = 0;
    }
    batch.push(pack);
    blobs += pack.blobs.length;
  }
  if (batch.length > 0) yield batch;
}
