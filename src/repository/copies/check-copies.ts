import { inLanes } from '../in-lanes.ts';
import type { Repository } from '../repository.ts';
import { restoreFromCopy, wholeCopy } from './restore-copy.ts';
import { COPIES_FOLDER, copyName } from './second-copies.ts';
import { namesBelow, originals, wholeOriginal } from './write-missing.ts';

const READS_AT_ONCE = 8;

/**
 * Reads every second copy and its original; each mends the other. Of what both are damaged the original is named by
 * whoever needs it. Resolves to the number of copies.
 */
export async function checkCopies(
  repository: Repository,
  signal: AbortSignal,
  onMended: (file: { name: string; what: string }) => void,
): Promise<number> {
  const there = await namesBelow(repository, COPIES_FOLDER);
  const names = (await originals(repository)).filter((name) => there.has(copyName(name)));
  await inLanes(names, READS_AT_ONCE, async (name) => {
    signal.throwIfAborted();
    const original = await wholeOriginal(repository, name);
    const copy = await wholeCopy(repository, name);
    if (original && !copy) {
      await repository.storage.write(copyName(name), [original]);
      onMended({ name: copyName(name), what: 'written anew from its original' });
    } else if (copy && !original && (await repository.storage.stat(name))) {
      const mend = await restoreFromCopy(repository, name, 'check');
      if (mend) onMended({ name, what: mend.what });
    }
  });
  return names.length;
}
