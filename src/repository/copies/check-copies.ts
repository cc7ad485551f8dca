import { inLanes } from '../in-lanes.ts';
import type { Repository } from '../repository.ts';
import { restoreFromCopy } from './restore-copy.ts';
import { COPIES_FOLDER, copyName } from './second-copies.ts';
import { namesBelow, originals, wholeCopy, wholeOriginal } from './write-missing.ts';

const READS_AT_ONCE = 8;

export type CopiesChecked = {
  read: number;
  /** Originals that had no copy, in a repository that keeps them, and have one now. */
  made: string[];
};

/**
 * Reads every second copy and its original; each mends the other. Where both are damaged the original is named by
 * whoever needs it.
 */
export async function checkCopies(
  repository: Repository,
  signal: AbortSignal,
  onMended: (file: { name: string; what: string }) => void,
): Promise<CopiesChecked> {
  const checked: CopiesChecked = { read: 0, made: [] };
  const there = await namesBelow(repository, COPIES_FOLDER);
  // Nothing of ours is put into a repository by checking it.
  if (there.size === 0) return checked;
  await inLanes(await originals(repository), READS_AT_ONCE, async (name) => {
    signal.throwIfAborted();
    const original = await wholeOriginal(repository, name);
    const copy = await wholeCopy(repository, name);
    checked.read += 1;
    // A record that was replaced while its copy wasn't yet: the original counts.
    if (original && !copy?.equals(original)) {
      await repository.storage.write(copyName(name), [original]);
      if (!there.has(copyName(name))) checked.made.push(name);
      else onMended({ name: copyName(name), what: 'written anew from its original' });
    } else if (copy && !original && (await repository.storage.stat(name))) {
      const mend = await restoreFromCopy(repository, name, 'check');
      if (mend) onMended({ name, what: mend.what });
    }
  });
  return checked;
}
