/** What differs between two trees. Directories that are the same tree are not read. */
import type { HoldfastError } from '#base';
import { errors } from '../errors.ts';
import type { Repository } from '../repository.ts';
import { decodeTree } from '../tree/decode-tree.ts';
import { showName } from '../tree/encode-tree.ts';
import type { TreeNode } from '../tree/node.ts';
import { Lookahead } from '../walk/lookahead.ts';
import { TreesAhead } from '../walk/trees-ahead.ts';

export type Difference = {
  /** Raw bytes from the root, with a slash before each component. */
  path: Buffer;
  /** `metadata`: owner, permissions, time, attributes; `content` may come with changes of these too. */
  change: 'added' | 'removed' | 'content' | 'metadata' | 'type';
  before?: TreeNode;
  after?: TreeNode;
};

export type DiffOptions = {
  signal?: AbortSignal;
  /** Path of the trees themselves; '' (the default) where they are snapshots' roots. */
  root?: Buffer;
  /** A directory that can't be compared whole. Without this, the call rejects. */
  onDamaged?: (path: Buffer, error: HoldfastError) => void;
};

type Pair = { before: TreeNode | undefined; after: TreeNode | undefined };

const SLASH = Buffer.from('/');
const MAX_DEPTH = 4096;

/** Depth first, by the bytes of the names. Hex ids; undefined stands for an empty directory. */
export async function* diffTrees(
  repository: Pick<Repository, 'index' | 'readBlobs'>,
  before: string | undefined,
  after: string | undefined,
  options: DiffOptions = {},
): AsyncGenerator<Difference> {
  const trees = new TreesAhead(repository, options.signal);
  const levels: { path: Buffer; pairs: Lookahead<Pair> }[] = [];
  const open = async (path: Buffer, pair: SubtreePair, following: Iterable<string>) => {
    const take = (id: string | undefined) => takeNodes(trees, id, following, path, options);
    const sides = [await take(pair.before), await take(pair.after)] as const;
    levels.push({ path, pairs: new Lookahead(pairsOf(path, sides, options)) });
  };
  if (before !== after) await open(options.root ?? Buffer.alloc(0), { before, after }, []);
  for (let level = levels.at(-1); level; level = levels.at(-1)) {
    const pair = level.pairs.next();
    if (!pair) {
      levels.pop();
      continue;
    }
    options.signal?.throwIfAborted();
    const name = (pair.after ?? pair.before)?.name as Buffer;
    const path = Buffer.concat([level.path, SLASH, name]);
    const change = changeOf(pair);
    if (change) yield { path, change, ...sidesOf(pair) };
    const below = subtreesOf(pair);
    if (below.before === below.after || levels.length > MAX_DEPTH) continue;
    await open(path, below, differing(level.pairs.following()));
  }
}

type SubtreePair = { before: string | undefined; after: string | undefined };

const subtreesOf = ({ before, after }: Pair): SubtreePair => ({
  before: before?.subtree,
  after: after?.subtree,
});

const sidesOf = ({ before, after }: Pair) => ({
  ...(before && { before }),
  ...(after && { after }),
});

function* differing(pairs: Iterable<Pair>): Iterable<string> {
  for (const pair of pairs) {
    const { before, after } = subtreesOf(pair);
    if (before === after) continue;
    if (before !== undefined) yield before;
    if (after !== undefined) yield after;
  }
}

function changeOf({ before, after }: Pair): Difference['change'] | undefined {
  if (!before) return 'added';
  if (!after) return 'removed';
  if (before.kind !== after.kind) return 'type';
  if (!sameContent(before, after)) return 'content';
  return sameMetadata(before, after) ? undefined : 'metadata';
}

function sameContent(before: TreeNode, after: TreeNode): boolean {
  if (before.content && after.content) return before.content.equals(after.content);
  if (before.linkTarget && after.linkTarget) return before.linkTarget.equals(after.linkTarget);
  return before.device === after.device;
}

/** Not compared: what a copy of the same file has otherwise (inode, device of the file system, time of status). */
function sameMetadata(before: TreeNode, after: TreeNode): boolean {
  return (
    before.permissions === after.permissions &&
    before.mtimeNs === after.mtimeNs &&
    before.uid === after.uid &&
    before.gid === after.gid &&
    before.user === after.user &&
    before.group === after.group &&
    attributesOf(before) === attributesOf(after)
  );
}

function attributesOf({ xattrs }: TreeNode): string {
  const shown = xattrs.map(({ name, value }) => `${name.toString('hex')}=${value.toString('hex')}`);
  return shown.sort().join();
}

async function takeNodes(
  trees: TreesAhead,
  id: string | undefined,
  following: Iterable<string>,
  path: Buffer,
  options: DiffOptions,
): Promise<Generator<TreeNode>> {
  if (id === undefined) return none();
  try {
    return decodeTree(await trees.take(id, following));
  } catch (error) {
    options.onDamaged?.(path, error as HoldfastError);
    if (!options.onDamaged) throw error;
    return none();
  }
}

function* none(): Generator<TreeNode> {}

/** Entries of the same name together. Throws `repository/tree-unordered`: out of order, names can't be paired. */
function* pairsOf(
  path: Buffer,
  [befores, afters]: readonly [Generator<TreeNode>, Generator<TreeNode>],
  { onDamaged }: DiffOptions,
): Generator<Pair> {
  try {
    const left = inOrder(befores);
    const right = inOrder(afters);
    let before = left.next().value;
    let after = right.next().value;
    while (before || after) {
      const order = !before ? 1 : !after ? -1 : Buffer.compare(before.name, after.name);
      yield { before: order <= 0 ? before : undefined, after: order >= 0 ? after : undefined };
      if (order <= 0) before = left.next().value;
      if (order >= 0) after = right.next().value;
    }
  } catch (error) {
    if (!onDamaged) throw error;
    onDamaged(path, error as HoldfastError);
  }
}

function* inOrder(nodes: Iterable<TreeNode>): Generator<TreeNode, undefined> {
  let previous: Buffer | undefined;
  for (const node of nodes) {
    if (previous && Buffer.compare(previous, node.name) >= 0) {
      throw errors.treeDamaged([`"${showName(node.name)}" comes after "${showName(previous)}"`]);
    }
    previous = node.name;
    yield node;
  }
  return undefined;
}
