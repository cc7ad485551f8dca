/**
 * Which snapshots there are, for whoever removes what none of them needs. A storage may list what was some time ago: a
 * snapshot that it leaves out would lose its blobs. Second copies are listed apart, and tell of most that are left out.
 */

import { COPIES_FOLDER } from '../copies/second-copies.ts';
import { inLanes } from '../in-lanes.ts';
import { idOfName, unpackedName } from '../names.ts';
import type { Repository } from '../repository.ts';
import type { Snapshot } from '../snapshots/snapshot-json.ts';
import { namesIn } from '../storage/names-in.ts';

const AT_ONCE = 16;

/** Those that are listed, and those that aren't but are there. One that was forgotten while its copy stayed isn't. */
export async function allSnapshotIds({ storage, snapshots }: Repository): Promise<string[]> {
  const ids = new Set(await snapshots.ids());
  const unlisted: string[] = [];
  for await (const name of namesIn(storage, `${COPIES_FOLDER}snapshots/`)) {
    const id = idOfName(name);
    if (id !== undefined && !ids.has(id)) unlisted.push(id);
  }
  await inLanes(unlisted, AT_ONCE, async (id) => {
    if (await storage.stat(unpackedName('snapshots', id))) ids.add(id);
  });
  return [...ids];
}

export async function allSnapshots(repository: Repository): Promise<Snapshot[]> {
  const found: Snapshot[] = [];
  await inLanes(await allSnapshotIds(repository), AT_ONCE, async (id) => {
    found.push(await repository.snapshots.load(id));
  });
  return found;
}
