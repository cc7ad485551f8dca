/** Which files of which snapshots can't come back, given the blobs that are lost. Only asked when something is. */
import { HoldfastError } from '#base';
import { ID_BYTES } from '../names.ts';
import type { Repository } from '../repository.ts';
import type { Snapshot } from '../snapshots/snapshot-json.ts';
import { decodeTree } from '../tree/decode-tree.ts';
import type { AffectedFile } from './problems.ts';

const MAX_AFFECTED = 1_000;

export type Affected = { files: AffectedFile[]; count: number };

/** `lost`: keys made by `blobKey`. */
export async function affectedFiles(
  repository: Repository,
  snapshots: readonly Snapshot[],
  lost: ReadonlySet<string>,
  signal: AbortSignal | undefined,
): Promise<Affected> {
  const affected: Affected = { files: [], count: 0 };
  /** Trees without any damage below them: shared by most snapshots, so each is read once. */
  const sound = new Set<string>();
  for (const snapshot of snapshots) {
    const note = (path: string, because: string) => {
      affected.count += 1;
      if (affected.files.length >= MAX_AFFECTED) return;
      affected.files.push({ snapshot: snapshot.id, path, because });
    };
    await search({ repository, lost, sound, signal, note }, snapshot.tree, '');
  }
  return affected;
}

export function blobKey(type: string, idHex: string): string {
  return `${type}:${idHex}`;
}

type Search = {
  repository: Repository;
  lost: ReadonlySet<string>;
  sound: Set<string>;
  signal: AbortSignal | undefined;
  note: (path: string, because: string) => void;
};

/** True where nothing below this tree is lost. */
async function search(task: Search, tree: string, path: string): Promise<boolean> {
  const { repository, lost, sound, note } = task;
  if (sound.has(tree)) return true;
  task.signal?.throwIfAborted();
  let bytes: Buffer;
  try {
    bytes = await repository.readBlob('tree', tree);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    note(`${path}/`, `its directory can't be read: ${error.message}`);
    return false;
  }
  let whole = true;
  const subtrees: [string, string][] = [];
  for (const node of decodeTree(bytes)) {
    const nodePath = `${path}/${node.name.toString('utf8')}`;
    if (node.subtree !== undefined) subtrees.push([node.subtree, nodePath]);
    const missing = node.content && firstLost(node.content, lost);
    if (!missing) continue;
    note(nodePath, `data blob ${missing} is lost`);
    whole = false;
  }
  for (const [subtree, below] of subtrees) {
    if (!(await search(task, subtree, below))) whole = false;
  }
  if (whole) sound.add(tree);
  return whole;
}

function firstLost(content: Buffer, lost: ReadonlySet<string>): string | undefined {
  for (let at = 0; at < content.length; at += ID_BYTES) {
    const id = content.toString('hex', at, at + ID_BYTES);
    if (lost.has(blobKey('data', id))) return id;
  }
  return undefined;
}
