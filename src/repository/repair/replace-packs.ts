/**
 * The change that every repair ends with, in an order that makes a kill at any instant lose nothing: new packs are
 * durable before (`packs-saved`), then new indexes (`indexes-saved`), then the old indexes go (`indexes-removed`), then
 * the packs that are replaced. What an interruption leaves is told of twice, and the next repair finishes it.
 */
import type { IndexedPack } from '../pack/header.ts';
import { outdatedFiles, readIndexFiles, writeReplacements } from '../prune/index-files.ts';
import { removeAll, removePacks } from '../prune/removals.ts';
import { EntrySet } from '../reachable-blobs.ts';
import type { Repository } from '../repository.ts';

export type PackReplacement = {
  /** Packs that no index shall tell of any more as now. */
  gone: Iterable<string>;
  /** What is told instead: durable packs. */
  fresh: readonly IndexedPack[];
  /** Whether the packs that are gone are removed from the storage, too. */
  removePacks: boolean;
  /** Index files that can't be read: removed once what they may have told is told elsewhere. */
  unreadable?: readonly string[];
};

/** Under an exclusive lock. Loads all index files anew before and leaves nothing loaded. */
export async function replacePacks(
  repository: Repository,
  replacement: PackReplacement,
  signal: AbortSignal,
): Promise<void> {
  const { fresh, unreadable = [] } = replacement;
  repository.dropIndex();
  const { files, index } = repository;
  const indexFiles = await readIndexFiles(repository, index, new Set(unreadable));
  const ids = [...replacement.gone];
  const gone = new EntrySet(index.packCount);
  for (const id of ids) {
    const number = index.packNumber(id);
    if (number >= 0) gone.add(number);
  }
  const outdated = outdatedFiles(indexFiles, gone).filter(({ packs }) => packs.length > 0);
  const written = new Set(await writeReplacements(repository, outdated, gone, fresh));
  signal.throwIfAborted();
  const old = [...outdated.map(({ id }) => id), ...unreadable].filter((id) => !written.has(id));
  await removeAll(old, signal, (id) => files.remove('index', id));
  if (replacement.removePacks) await removePacks(repository, ids, signal);
  repository.dropIndex();
}
