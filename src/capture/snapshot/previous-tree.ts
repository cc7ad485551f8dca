/** The tree of the capture before, looked up by path. Keeps the directories looked at last, so memory is bounded. */
import { HoldfastError } from '#base';
import { decodeTree, type TreeNode } from '#repository';
import { baseName, parentPath } from './directory.ts';
import type { RecentTrees } from './recent-trees.ts';

type Names = Map<string, TreeNode>;

/** Walks come back to the same few directories; wide trees must not stay in memory. */
const KEPT_DIRECTORIES = 32;

export class PreviousTree {
  readonly #trees: Pick<RecentTrees, 'read'>;
  readonly #root: string;
  readonly #kept = new Map<string, Promise<Names | undefined>>();

  constructor(trees: Pick<RecentTrees, 'read'>, root: string) {
    this.#trees = trees;
    this.#root = root;
  }

  /** Undefined where there was no such entry. Paths are latin1 strings relative to the root of the tree. */
  async find(path: string): Promise<TreeNode | undefined> {
    const names = await this.#directory(parentPath(path));
    return names?.get(baseName(path));
  }

  /** Hex id of the tree of this folder; undefined where there was none. */
  async subtreeAt(path: string): Promise<string | undefined> {
    return path === '' ? this.#root : (await this.find(path))?.subtree;
  }

  #directory(path: string): Promise<Names | undefined> {
    const known = this.#kept.get(path);
    if (known) {
      this.#kept.delete(path);
      this.#kept.set(path, known);
      return known;
    }
    const reading = this.#read(path);
    this.#kept.set(path, reading);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_DIRECTORIES && oldest !== undefined) this.#kept.delete(oldest);
    return reading;
  }

  async #read(path: string): Promise<Names | undefined> {
    const subtree = await this.subtreeAt(path);
    if (subtree === undefined) return undefined;
    try {
      return await readNames(this.#trees, subtree);
    } catch (error) {
      if (error instanceof HoldfastError && DAMAGE.has(error.code)) return undefined;
      throw error;
    }
  }
}

/** A damaged past must not stop protection: what can't be looked up there is read again from the source. */
export const DAMAGE: ReadonlySet<string> = new Set([
  'repository/blob-missing',
  'repository/blob-damaged',
  'repository/tree-damaged',
]);

async function readNames(trees: Pick<RecentTrees, 'read'>, tree: string): Promise<Names> {
  const names: Names = new Map();
  for (const node of await trees.read(tree)) names.set(node.name.toString('latin1'), node);
  return names;
}

export type TreeDifference = { files: number; directories: number; bytes: number };

/**
 * What the second tree holds more than the first. Equal subtrees aren't looked into: it costs what changed, not what
 * there is. Of a folder's entries one is held at a time, however many there are.
 */
export async function treeDifference(
  trees: Pick<RecentTrees, 'readBytes'>,
  before: string | undefined,
  after: string | undefined,
): Promise<TreeDifference> {
  const difference: TreeDifference = { files: 0, directories: 0, bytes: 0 };
  const pairs: [string | undefined, string | undefined][] = [[before, after]];
  for (let pair = pairs.pop(); pair; pair = pairs.pop()) {
    if (pair[0] === pair[1]) continue;
    const [old, now] = await Promise.all(
      pair.map(async (tree) =>
        nodesOf(tree === undefined ? undefined : await trees.readBytes(tree)),
      ),
    );
    for (const [was, is] of sideBySide(old as Iterator<TreeNode>, now as Iterator<TreeNode>)) {
      if (was) addUp(difference, was, -1);
      if (is) addUp(difference, is, 1);
      if (was?.subtree !== is?.subtree) pairs.push([was?.subtree, is?.subtree]);
    }
  }
  return difference;
}

function* nodesOf(tree: Buffer | undefined): Generator<TreeNode> {
  if (tree) yield* decodeTree(tree);
}

/** Nodes of the same name together. Where a tree isn't in order some come alone, and what they add up to is the same. */
function* sideBySide(
  old: Iterator<TreeNode>,
  now: Iterator<TreeNode>,
): Generator<[TreeNode | undefined, TreeNode | undefined]> {
  let was = old.next();
  let is = now.next();
  while (!was.done || !is.done) {
    const order = was.done ? 1 : is.done ? -1 : Buffer.compare(was.value.name, is.value.name);
    yield [order <= 0 ? was.value : undefined, order >= 0 ? is.value : undefined];
    if (order <= 0) was = old.next();
    if (order >= 0) is = now.next();
  }
}

function addUp(difference: TreeDifference, node: TreeNode, sign: 1 | -1): void {
  if (node.kind === 'dir') difference.directories += sign;
  if (node.kind === 'file') difference.files += sign;
  difference.bytes += sign * Number(node.sizeBytes);
}
