/** A file of which most blocks lie in the repository already: only the others are cut, hashed and stored. */
import type { Repository, RepositoryWriter, SavedContent } from '#repository';
import type { ContentBlock } from '#sources';
import { errors } from '../errors.ts';

/**
 * `blocks` in order, all of `chunkSizeBytes` but the last; one with an id is taken over. Rejects with
 * `capture/block-missing` where the repository doesn't hold it any more.
 */
export async function saveBlocks(
  { index }: Pick<Repository, 'index'>,
  writer: Pick<RepositoryWriter, 'saveStream'>,
  blocks: AsyncIterable<ContentBlock>,
  chunkSizeBytes: number,
): Promise<SavedContent> {
  const parts: Promise<SavedContent>[] = [];
  const iterator = blocks[Symbol.asyncIterator]();
  let next = await iterator.next();
  try {
    while (!next.done) {
      if (next.value.from === 'before') {
        parts.push(Promise.resolve(takenOver(index, next.value)));
        next = await iterator.next();
        continue;
      }
      const taken = Promise.withResolvers<void>();
      const run = async function* (): AsyncGenerator<Uint8Array> {
        for (; !next.done && next.value.from === 'here'; next = await iterator.next()) {
          yield next.value.bytes;
        }
        taken.resolve();
      };
      const saving = writer.saveStream(run(), {
        kind: 'fixed',
        sizeBytes: chunkSizeBytes,
        compression: 'pages',
      });
      saving.catch(() => {
        // Told below, where all of them are awaited.
      });
      parts.push(saving);
      // The next run is read while this one is still being stored.
      await Promise.race([taken.promise, saving]);
    }
  } finally {
    if (!next.done) await iterator.return?.();
  }
  return joined(await Promise.all(parts));
}

function takenOver(
  index: Repository['index'],
  { id, sizeBytes }: ContentBlock & { from: 'before' },
): SavedContent {
  if (!index.has('data', id)) throw errors.blockMissing([Buffer.from(id).toString('hex')]);
  return { ids: Buffer.from(id), sizeBytes, newBytes: 0 };
}

function joined(parts: readonly SavedContent[]): SavedContent {
  const sum = (of: (part: SavedContent) => number) => parts.reduce((all, one) => all + of(one), 0);
  return {
    ids: Buffer.concat(parts.map(({ ids }) => ids)),
    sizeBytes: sum(({ sizeBytes }) => sizeBytes),
    newBytes: sum(({ newBytes }) => newBytes),
  };
}
