/** How many files differ between two captures: trees with the same id are the same and aren't looked into. */
import { type CaptureRecord, decodeTree, type Repository, type TreeNode } from '#repository';

/** Above this the count stops: it is shown to a person, not used. */
const COUNT_LIMIT = 100_000;

async function nodesOf(
  repository: Repository,
  tree: string | undefined,
): Promise<Map<string, TreeNode>> {
  if (tree === undefined) return new Map();
  const nodes = new Map<string, TreeNode>();
  for (const node of decodeTree(await repository.readBlob('tree', tree))) {
    nodes.set(node.name.toString('latin1'), node);
  }
  return nodes;
}

function sameContent(a: TreeNode, b: TreeNode): boolean {
  if (a.kind !== b.kind || a.kind === 'dir') return false;
  if (a.content && b.content) return a.content.equals(b.content);
  return a.mtimeNs === b.mtimeNs && a.sizeBytes === b.sizeBytes;
}

async function countBetween(
  repository: Repository,
  a: string | undefined,
  b: string | undefined,
  counted: number,
): Promise<number> {
  if (a === b || counted >= COUNT_LIMIT) return counted;
  const [before, after] = await Promise.all([nodesOf(repository, a), nodesOf(repository, b)]);
  let total = counted;
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const one = before.get(name);
    const two = after.get(name);
    if (one && two && sameContent(one, two)) continue;
    if (one?.kind === 'dir' || two?.kind === 'dir') {
      total = await countBetween(repository, one?.subtree, two?.subtree, total);
    } else {
      total += 1;
    }
  }
  return total;
}

/** Files that were added, removed or changed from one capture to the other. */
export async function countDifferingFiles(
  repository: Repository,
  before: CaptureRecord,
  after: CaptureRecord,
): Promise<number> {
  const [one, two] = await Promise.all([
    repository.snapshots.load(before.snapshot),
    repository.snapshots.load(after.snapshot),
  ]);
  await repository.loadIndex();
  return await countBetween(repository, one.tree, two.tree, 0);
}
